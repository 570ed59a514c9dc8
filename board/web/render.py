"""Render templates as responses: environment, page context, live parts, filters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import BaseLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from guardia.board.core import kill_switch, labels
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Risk, ToolCall
from guardia.board.web import findings, navigation, session
from guardia.board.web.bundles import asset
from guardia.board.web.caller import board_of
from guardia.board.web.markup import markdown
from guardia.board.web.session import Visitor
from guardia.board.web.time_left import time_left
from guardia.i18n import LANGUAGES, language, t
from guardia.org.access import SessionInfo, is_allowed
from guardia.org.budgets import format_won
from guardia.settings import Settings

_NEW = timedelta(minutes=2)
"""How long the sign-in before this one is shown."""
# The name of each language in that language.
ENDONYMS = {"ko": "한국어", "en": "English"}
# A colour for each meaning: what needs a person is the loudest, what is done the quietest. Failed
# is red, completed blue and in progress yellow, as the people who run the servers know it.
STATUS_BADGE = {
    State.PARSED: "bg-light-gray",
    State.PENDING_APPROVAL: "bg-warning",
    State.APPROVED: "bg-light-success",
    State.IN_PROGRESS: "bg-light-warning",
    State.MANUAL: "bg-warning",
    State.COMPLETED: "bg-light-primary",
    State.REJECTED: "bg-light-danger",
    State.FAILED_ROLLBACK: "bg-danger",
}
RISK_BADGE = {
    Risk.READ: "bg-light-success",
    Risk.CHANGE: "bg-light-warning",
    Risk.DEPLOY: "bg-light-point",
    Risk.DESTRUCTIVE: "bg-danger",
}


@dataclass(frozen=True, slots=True)
class Site:
    """Who operates an installation, and where its policies are."""

    institution: str
    department: str
    contact: str
    privacy: str
    accessibility: str


@contextmanager
def use_visitor_language(request: Request) -> Iterator[None]:
    """Use the visitor's language while rendering.

    Use cases run outside of it: the audit log is always written in the default language.
    """
    token = language.set(session.language_of(request))
    try:
        yield
    finally:
        language.reset(token)


def page(
    request: Request,
    name: str,
    *,
    status: int = 200,
    visitor: Visitor | None = None,
    **context: Any,
) -> HTMLResponse:
    """Render a template as a response; every page and fragment goes through here."""
    with use_visitor_language(request):
        html = _template(name).render(_base_context(request, visitor), **context)
    response = HTMLResponse(html, status_code=status)
    session.save_visit(request, response)
    return response


def _base_context(request: Request, visitor: Visitor | None) -> dict[str, Any]:
    # The address of a form's response cannot be loaded with GET, so links go to the list instead.
    again = request.method == "GET" or request.url.path == "/login"
    address = request.url if again else request.url.replace(path="/issues", query="")
    return {
        "lang": session.language_of(request),
        "languages": {code: address.include_query_params(lang=code) for code in LANGUAGES},
        "theme": session.theme_of(request),
        "themes": {name: address.include_query_params(theme=name) for name in session.THEMES},
        "site": site_of(request),
        "places": navigation.visible_items(visitor.person) if visitor else [],
        "place_groups": navigation.grouped(navigation.visible_items(visitor.person))
        if visitor
        else [],
        "here": navigation.current_item(request.url.path),
        "csrf": session.csrf_token(request),
        "person": visitor.person if visitor else None,
        "may": _may(visitor),
        "switch": kill_switch.active_kill_switch(board_of(request)) if visitor else None,
        "signed_in": _new_session(board_of(request), visitor),
        "time_left": time_left(board_of(request), visitor),
        "answers_form": request.method != "GET",
        "warnings": _warnings(board_of(request)) if visitor else [],
    }


def _new_session(board: BoardContext, visitor: Visitor | None) -> SessionInfo | None:
    """Return a session that has just begun: then people see when they signed in before."""
    found = visitor.session if visitor else None
    if found is None or board.current_time() - found.created_at > _NEW:
        return None
    return found


def site_of(request: Request) -> Site:
    """Return who operates this installation, for the frame of its pages."""
    settings: Settings = request.app.state.settings
    return Site(
        institution=settings.site_institution,
        department=settings.site_department,
        contact=settings.site_contact,
        privacy=settings.privacy_url or "/about#privacy",
        accessibility=settings.accessibility_url or "/about#accessibility",
    )


def _warnings(board: BoardContext) -> list[str]:
    """Return what keeps this host from working, for the top of every page."""
    problem = board.clock_problem()
    found = [t("errors.ClockOff", **problem.detail)] if problem else []
    if board.local_stop is not None and board.local_stop.is_pressed():
        found.append(t("board.local_stop.waiting"))
    return found


def _may(visitor: Visitor | None) -> Any:
    return lambda action: visitor is not None and is_allowed(visitor.person, action)


def _template_folders() -> dict[str, BaseLoader]:
    """Map each feature of the board to its templates: "tracker/issue.html" is a file of tracker."""
    board = Path(__file__).parents[1]
    return {f.parent.name: FileSystemLoader(f) for f in sorted(board.glob("*/templates"))}


@cache
def environment() -> Environment:
    """Return the template environment: autoescape, and undefined variables are errors."""
    found = Environment(
        loader=PrefixLoader(_template_folders()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        moment=labels.format_time,
        iso=iso,
        markdown=markdown,
        value=format_value,
        blocks=findings.blocks,
        issue_ref=issue_ref,
        span=labels.format_span,
        as_json=as_json,
    )
    found.globals.update(
        t=t,
        administration=navigation.administration,
        web_label=web_label,
        tool=labels.tool_title,
        asset=asset,
        part=part,
        endonyms=ENDONYMS,
        actor=labels.actor_label,
        label=labels.label,
        outcome_label=labels.outcome_label,
        cause_label=labels.cause_label,
        in_won=format_won,
        arguments=format_arguments,
        check_sentence=labels.check_sentence,
        status_badge=lambda s: STATUS_BADGE.get(s, "bg-light-gray"),
        risk_badge=RISK_BADGE.__getitem__,
    )
    return found


def _template(name: str) -> Any:
    return environment().get_template(name)


def part(path: str, tag: str = "div", *, swap: bool = False, **context: Any) -> Markup:
    """Render a versioned part of a live page: the browser swaps only what changed."""
    feature, name = path.split("/")
    html = _template(f"{feature}/parts/{name}.html").render(context)
    version = hashlib.sha256(html.encode()).hexdigest()[:12]
    out_of_band = Markup(' hx-swap-oob="true"') if swap else ""
    return Markup('<{} id="part-{}" data-version="{}"{}>{}</{}>').format(
        tag, name, version, out_of_band, Markup(html), tag
    )


# --- words -----------------------------------------------------------------------------------


def web_label(table: str, name: object) -> str:
    """Return the text `web.<table>.<name>`, or the name itself if the catalogue lacks it."""
    try:
        return t(f"web.{table}.{name}")
    except KeyError:
        return str(name)


def format_arguments(call: ToolCall) -> list[tuple[str, str]]:
    """Return a call's arguments as labels and texts."""
    return [
        (web_label("field", n), format_value(call.args[n])) for n in findings.ordered(call.args)
    ]


def format_value(value: object) -> str:
    """Return a finding as text; a time with a zone is converted to Seoul time."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return t("web.yes") if value else t("web.no")
    return labels.to_seoul_time(str(value))


def as_json(value: object) -> str:
    """Return a value as JSON for an attribute, which the template escapes."""
    return json.dumps(value, ensure_ascii=False, default=dataclasses.asdict)


def iso(value: datetime) -> str:
    """Return a time in ISO 8601."""
    return value.astimezone(labels.SEOUL).isoformat(timespec="seconds")
