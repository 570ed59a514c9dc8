"""The web application: pages, live events, intake channels and the API's description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import cache
from mimetypes import guess_type

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import guardia
from guardia.addresses import parse_networks
from guardia.board.accounts import (
    admin_pages,
    oidc,
    oidc_pages,
    passkey_pages,
    password_pages,
    people_pages,
    right_pages,
    session_pages,
    sign_in_pages,
    token_pages,
)
from guardia.board.accounts import pages as account_pages
from guardia.board.accounts.oidc import OpenIdClient
from guardia.board.alerts import pages as alert_pages
from guardia.board.approvals import pages as approval_pages
from guardia.board.approvals import passkey_pages as approval_passkey_pages
from guardia.board.artifacts import api as artifact_api
from guardia.board.artifacts import pages as artifact_pages
from guardia.board.assignment import pages as assignment_pages
from guardia.board.autonomy import pages as autonomy_pages
from guardia.board.catalog import pages as catalog_pages
from guardia.board.change_calendar import api as change_api
from guardia.board.change_calendar import pages as change_pages
from guardia.board.cmdb import host_key_pages, institution_pages, team_pages
from guardia.board.cmdb import pages as server_pages
from guardia.board.command import api as command_api
from guardia.board.command import pages as command_pages
from guardia.board.control import api as control_api
from guardia.board.control import pages as control_pages
from guardia.board.core.context import BoardContext
from guardia.board.costs import pages as cost_pages
from guardia.board.dashboard import api as dashboard_api
from guardia.board.dashboard import pages as dashboard_pages
from guardia.board.external_agents import api as external_agent_api
from guardia.board.github_api.middleware import DialectMiddleware
from guardia.board.github_api.routes import ROUTERS as GITHUB_ROUTERS
from guardia.board.goals import pages as goal_pages
from guardia.board.help import pages as help_pages
from guardia.board.home import pages as home_pages
from guardia.board.intake import channel_pages
from guardia.board.intake import routes as intake_routes
from guardia.board.intake import rule_pages as talk_rule_pages
from guardia.board.integrity import pages as audit_pages
from guardia.board.issue_views import bulk_pages, palette_pages, view_pages
from guardia.board.issue_views import pages as list_pages
from guardia.board.knowledge import api as document_api
from guardia.board.knowledge import form_pages as document_form_pages
from guardia.board.knowledge import pages as document_pages
from guardia.board.knowledge import rating_pages, stated_api, stated_pages
from guardia.board.notifications import pages as notification_pages
from guardia.board.organization import agent_pages, chart_pages
from guardia.board.organization import pages as organization_pages
from guardia.board.papers import api as paper_api
from guardia.board.papers import pages as paper_pages
from guardia.board.papers import template_pages
from guardia.board.remote_console import api as remote_api
from guardia.board.remote_console import pages as remote_pages
from guardia.board.request_forms import api as form_api
from guardia.board.request_forms import catalogue_pages
from guardia.board.request_forms import pages as form_pages
from guardia.board.rollouts import pages as rollout_pages
from guardia.board.roster import import_pages as roster_import_pages
from guardia.board.roster import pages as roster_pages
from guardia.board.runs import pages as run_pages
from guardia.board.runs import worker_pages
from guardia.board.search import api as search_api
from guardia.board.search import pages as search_pages
from guardia.board.search import related_pages
from guardia.board.service_levels import api as service_api
from guardia.board.service_levels import pages as service_pages
from guardia.board.site import (
    about_pages,
    api_docs,
    health,
    live,
    permissions,
    readiness,
    web_settings,
)
from guardia.board.site.rates import Rates
from guardia.board.site.readiness import CachedReadiness
from guardia.board.site_rules import pages as rule_pages
from guardia.board.standing import pages as standing_pages
from guardia.board.tracker import attachment_pages, comment_pages, panel_pages, plan_pages
from guardia.board.tracker import pages as tracker_pages
from guardia.board.web import errors as web_errors
from guardia.board.web.body_limits import BodyLimitMiddleware
from guardia.board.web.bundles import BUNDLES, STATIC, content
from guardia.board.web.error_bodies import errors
from guardia.board.web.fair_queue import FairQueueMiddleware
from guardia.board.web.proxies import ProxyMiddleware
from guardia.board.web.recent_visitors import RecentVisitors
from guardia.board.web.security_headers import SecurityHeadersMiddleware
from guardia.board.web.session import SESSION_COOKIE, require_csrf_token
from guardia.board.webhooks import api as webhook_api
from guardia.board.webhooks import pages as webhook_pages
from guardia.org.account_policy import AccountPolicy
from guardia.settings import Settings

_LISTEN_SECONDS = 5.0


def create_app(board: BoardContext, settings: Settings) -> FastAPI:
    """Build the ASGI application of a board. Stop it with `server.BoardServer`.

    Raises `Misconfigured` for a setting that the pages cannot use.
    """
    web_settings.require_valid(settings)
    board = replace(board, accounts=AccountPolicy.of(settings))
    app = FastAPI(
        title="GUARDiA",
        version=guardia.__version__,
        docs_url=None,
        redoc_url=None,
        # GitHub's clients follow no 307, and no address of ours ends with a slash.
        redirect_slashes=False,
        responses=errors(),
        lifespan=_lifespan,
        dependencies=[Depends(permissions.require_permission)],
    )
    app.state.board, app.state.settings = board, settings
    app.state.rules = dict(permissions.ROUTES)
    app.state.openid = OpenIdClient(settings) if oidc.is_configured(settings) else None
    app.state.recent_visitors = RecentVisitors()
    app.state.readiness = CachedReadiness(lambda: readiness.check(board, settings))
    app.state.feed = live.LiveFeed(board, live.StreamBounds.of(settings))
    app.state.rates = Rates(settings)
    _add_middleware(app, settings)
    app.mount("/static", GZipMiddleware(_Static(directory=STATIC)))
    app.include_router(intake_routes.router(board, settings))
    app.router.routes.extend(_routes())
    web_errors.install(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes that depend on no setting; FastAPI takes 1.5 s to work them out."""
    routes = APIRouter(responses=errors(), dependencies=[Depends(permissions.require_permission)])
    routes.include_router(command_api.router)
    routes.include_router(remote_api.router)
    routes.include_router(control_api.router)
    routes.include_router(dashboard_api.router)
    routes.include_router(external_agent_api.router)
    routes.include_router(artifact_api.router)
    routes.include_router(search_api.router)
    routes.include_router(service_api.router)
    for api in (*GITHUB_ROUTERS, webhook_api.router):
        routes.include_router(api)
    routes.include_router(stated_api.router)
    routes.include_router(document_api.router)
    routes.include_router(form_api.router)
    routes.include_router(paper_api.router)
    routes.include_router(change_api.router)
    routes.include_router(change_pages.feed_router)
    routes.include_router(health.router)
    for router in (
        sign_in_pages.router,
        session_pages.router,
        oidc_pages.router,
        home_pages.router,
        dashboard_pages.router,
        list_pages.router,
        view_pages.router,
        bulk_pages.router,
        palette_pages.router,
        tracker_pages.router,
        attachment_pages.router,
        panel_pages.router,
        comment_pages.router,
        plan_pages.router,
        command_pages.router,
        remote_pages.router,
        control_pages.router,
        organization_pages.router,
        host_key_pages.router,
        roster_import_pages.router,
        roster_pages.router,
        notification_pages.router,
        talk_rule_pages.router,
        approval_pages.router,
        approval_passkey_pages.router,
        account_pages.router,
        passkey_pages.router,
        password_pages.router,
        admin_pages.router,
        people_pages.router,
        right_pages.router,
        token_pages.router,
        audit_pages.router,
        worker_pages.router,
        channel_pages.router,
        team_pages.router,
        chart_pages.router,
        run_pages.router,
        goal_pages.router,
        cost_pages.router,
        autonomy_pages.router,
        assignment_pages.router,
        catalog_pages.router,
        standing_pages.router,
        server_pages.router,
        institution_pages.router,
        artifact_pages.router,
        document_form_pages.router,
        stated_pages.router,
        document_pages.router,
        rating_pages.router,
        rule_pages.router,
        service_pages.router,
        change_pages.router,
        form_pages.router,
        catalogue_pages.router,
        paper_pages.router,
        template_pages.router,
        alert_pages.router,
        rollout_pages.router,
        search_pages.router,
        related_pages.router,
        agent_pages.router,
        webhook_pages.router,
        live.router,
        about_pages.router,
        help_pages.router,
        api_docs.router,
    ):
        routes.include_router(router, dependencies=[Depends(require_csrf_token)])
    return tuple(routes.routes)


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the middleware, the innermost first."""
    app.add_middleware(FairQueueMiddleware, session_cookie=SESSION_COOKIE)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(DialectMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, hsts_seconds=settings.hsts_seconds)
    app.add_middleware(ProxyMiddleware, proxies=parse_networks(settings.trusted_proxies))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    feed: live.LiveFeed = app.state.feed
    listening = asyncio.create_task(feed.run())
    await feed.wait_until_ready(_LISTEN_SECONDS)
    yield
    feed.close()
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening


class _Static(StaticFiles):
    """Static files and bundles: versioned addresses are cached forever, others revalidated."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file or 404, with its cache header."""
        if path in BUNDLES and scope["method"] in {"GET", "HEAD"}:
            response = Response(content(path), media_type=guess_type(path)[0])
        else:
            response = await super().get_response(path, scope)
        for_ever = scope.get("query_string", b"").startswith(b"v=")
        response.headers["cache-control"] = (
            "public, max-age=31536000, immutable" if for_ever else "no-cache"
        )
        return response
