"""Permission of each route. A route that is not listed here is closed to everyone."""

from __future__ import annotations

import hashlib
import time

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from guardia.board.github_api.routes import ROUTES as GITHUB_ROUTES
from guardia.board.intake.registry import CHANNELS
from guardia.board.web.rates import RateLimit
from guardia.board.web.session import Visitor, current_visitor, require_csrf_token
from guardia.board.webhooks.routes import ROUTES as WEBHOOK_ROUTES
from guardia.errors import Forbidden, PasswordChangeNeeded, TooOften
from guardia.org.access import require_permission as require
from guardia.org.account_policy import PASSWORD_CHANGE
from guardia.org.tokens import TOKEN_PREFIX
from guardia.settings import Settings

PUBLIC = "open"
"""Needs no permission: sign-in, harmless data, and channels with tokens of their own."""

AGENT_TOKEN = "agent"
"""Needs the token of an external agent's session, which `external_agents.api` checks."""

STOP = "control.kill"
_UNCOUNTED = "/api/v3/rate_limit"
"""Asking for the limit counts as no call."""
OPENING = frozenset({"issue.create", "goal.give"})
"""Actions that open an issue, and so make work for agents."""

ROUTES: dict[tuple[str, str], str] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/about"): PUBLIC,
    ("GET", "/static"): PUBLIC,
    ("GET", "/login"): PUBLIC,
    ("POST", "/login"): PUBLIC,
    ("GET", "/login/oidc"): PUBLIC,
    ("GET", "/login/oidc/callback"): PUBLIC,
    **{("POST", path): PUBLIC for channel in CHANNELS for path in channel.endpoints},
    ("GET", "/api/agent/tasks/{task_id}"): AGENT_TOKEN,
    ("GET", "/api/agent/tasks/{task_id}/server"): AGENT_TOKEN,
    ("GET", "/api/agent/tasks/{task_id}/tools"): AGENT_TOKEN,
    ("GET", "/api/agent/tasks/{task_id}/evidence"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/reads"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/plan"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/apply"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/finish"): AGENT_TOKEN,
    ("GET", "/api/agent/tasks/{task_id}/calls/{call_id}"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/notes"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/handover"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/usage"): AGENT_TOKEN,
    ("POST", "/api/agent/tasks/{task_id}/end"): AGENT_TOKEN,
    ("POST", "/logout"): "session.end",
    ("GET", "/session"): "session.end",
    ("POST", "/session/extend"): "session.end",
    ("POST", "/logout/everywhere"): "session.end",
    ("GET", "/"): "home.read",
    ("GET", "/inbox/count"): "home.read",
    ("GET", "/home/cards"): "home.read",
    ("POST", "/home/cards"): "home.read",
    # Each card has a permission of its own; without it, it is not found.
    ("GET", "/dashboard"): "home.read",
    ("GET", "/dashboard/{name}"): "home.read",
    ("GET", "/dashboard/{name}/export"): "home.read",
    ("GET", "/api/v3/dashboard"): "home.read",
    ("GET", "/api/v3/dashboard/{name}"): "home.read",
    ("GET", "/issues/{sr_id}/tasks/{task_id}/failure"): "issue.read",
    ("GET", "/issues"): "issue.read",
    ("GET", "/issues/filter"): "issue.read",
    ("GET", "/issues/complete"): "issue.read",
    ("GET", "/issues/counts"): "issue.read",
    ("GET", "/issues/board"): "issue.read",
    ("GET", "/issues/views"): "issue.read",
    ("POST", "/issues/views"): "issue.read",
    ("POST", "/issues/views/{view_id}"): "issue.read",
    ("POST", "/issues/bulk"): "issue.assign",
    ("POST", "/issues/bulk/run"): "issue.assign",
    ("GET", "/palette"): "home.read",
    ("GET", "/issues/new"): "issue.create",
    ("POST", "/issues"): "issue.create",
    ("GET", "/issues/{sr_id}"): "issue.read",
    ("GET", "/issues/{sr_id}/live"): "issue.read",
    # Below an issue the use cases check the permission, after whether the issue is visible: what
    # a visitor may not see answers 404, not 403.
    ("GET", "/issues/{sr_id}/output"): "issue.read",
    ("GET", "/issues/{sr_id}/evidence"): "issue.read",
    ("GET", "/issues/{sr_id}/evidence/{evidence_id}"): "issue.read",
    ("GET", "/issues/{sr_id}/evidence/{evidence_id}/raw"): "issue.read",
    ("GET", "/issues/{sr_id}/comments/{comment_id}"): "issue.read",
    ("GET", "/issues/{sr_id}/attachments/{attachment_id}"): "issue.read",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/decision"): "issue.read",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/passkey"): "issue.read",
    ("POST", "/issues/{sr_id}/comments"): "issue.comment",
    ("GET", "/issues/{sr_id}/edit/{name}"): "issue.read",
    ("POST", "/issues/{sr_id}/edit/{name}"): "issue.read",
    ("GET", "/issues/{sr_id}/history"): "issue.read",
    ("POST", "/issues/{sr_id}/follow"): "issue.read",
    ("POST", "/issues/{sr_id}/lock"): "issue.read",
    ("POST", "/issues/{sr_id}/close"): "issue.read",
    ("POST", "/issues/{sr_id}/children"): "issue.read",
    ("POST", "/issues/{sr_id}/children/{child}/move"): "issue.read",
    ("GET", "/issues/{sr_id}/comments/{comment_id}/edit"): "issue.read",
    ("POST", "/issues/{sr_id}/comments/{comment_id}"): "issue.read",
    ("GET", "/issues/{sr_id}/comments/{comment_id}/history"): "issue.read",
    ("GET", "/issues/{sr_id}/suggest"): "issue.read",
    ("POST", "/preview"): "issue.read",
    ("PUT", "/attachments/{sr_id}"): "issue.read",
    ("GET", "/issues/{sr_id}/attachments/{attachment_id}/image"): "issue.read",
    ("GET", "/labels"): "queue.read",
    ("POST", "/labels"): "label.edit",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/orders"): "issue.read",
    ("POST", "/issues/{sr_id}/reopen"): "issue.read",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/acceptance"): "issue.read",
    ("POST", "/issues/{sr_id}/stall/lift"): "issue.read",
    ("GET", "/queue"): "queue.read",
    ("GET", "/issues/{sr_id}/who"): "issue.read",
    ("POST", "/issues/{sr_id}/assignment"): "issue.read",
    ("POST", "/issues/{sr_id}/proposals/{number}"): "issue.read",
    ("POST", "/issues/{sr_id}/answer"): "issue.read",
    ("POST", "/issues/{sr_id}/report"): "issue.read",
    ("GET", "/host-keys"): "cmdb.read",
    ("POST", "/host-keys/compare"): "cmdb.read",
    ("POST", "/host-keys"): "server.confirm_key",
    ("GET", "/roster"): "roster.read",
    ("GET", "/talk-rules"): "talk.read",
    ("POST", "/talk-rules/trial"): "talk.read",
    ("POST", "/talk-rules"): "talk.edit",
    ("GET", "/notifications"): "notice.own",
    ("POST", "/notifications/read"): "notice.own",
    ("POST", "/notifications/settings"): "notice.own",
    ("POST", "/notifications/calls/{on_call_id}"): "notice.acknowledge",
    ("GET", "/goals"): "goal.read",
    ("POST", "/goals"): "goal.give",
    ("GET", "/goals/new"): "goal.give",
    ("GET", "/goals/{sr_id}"): "goal.read",
    ("GET", "/goals/{sr_id}/live"): "goal.read",
    ("POST", "/goals/{sr_id}/decision"): "goal.decide",
    ("POST", "/goals/{sr_id}/answers"): "goal.decide",
    ("POST", "/hires/{hire_id}"): "hire.decide",
    ("GET", "/runs"): "run.read",
    ("GET", "/issues/{sr_id}/tasks/{task_id}/plan"): "issue.read",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/plan"): "issue.read",
    ("POST", "/issues/{sr_id}/tasks/{task_id}/exception"): "issue.read",
    ("GET", "/issues/{sr_id}/force"): "issue.read",
    ("POST", "/issues/{sr_id}/force"): "issue.read",
    ("GET", "/org"): "org.read",
    ("GET", "/org/revisions/{number}"): "org.read",
    ("GET", "/agents"): "agent.read",
    ("GET", "/agents/{agent_id}"): "agent.read",
    ("POST", "/agents/{agent_id}/notes"): "note.edit",
    ("GET", "/agents/{agent_id}/notes/{note_id}"): "agent.read",
    ("POST", "/agents/{agent_id}/notes/{note_id}"): "note.edit",
    ("GET", "/control"): "plan.read",
    ("GET", "/costs"): "costs.read",
    ("GET", "/autonomy"): "autonomy.read",
    ("GET", "/alerts"): "alert.read",
    ("POST", "/alerts/maintenance"): "maintenance.edit",
    ("POST", "/alerts/maintenance/{window_id}/end"): "maintenance.edit",
    ("GET", "/changes"): "change.read",
    ("POST", "/changes/feed"): "calendar_feed.own",
    ("GET", "/changes/feed/{token}.ics"): PUBLIC,
    ("GET", "/issues/{sr_id}/papers"): "paper.read",
    ("GET", "/issues/{sr_id}/papers/{kind}"): "paper.read",
    ("GET", "/reports"): "service.read",
    ("GET", "/reports/month"): "service.read",
    ("GET", "/reports/inspection"): "server.read",
    ("GET", "/papers/templates"): "paper.edit",
    ("GET", "/papers/templates/{kind}"): "paper.edit",
    ("POST", "/papers/templates/{kind}"): "paper.edit",
    ("POST", "/papers/templates/versions/{number}"): "paper.edit",
    ("GET", "/api/v3/papers/issues/{number}"): "paper.read",
    ("GET", "/api/v3/papers/issues/{number}/{kind}"): "paper.read",
    ("GET", "/api/v3/papers/months/{institution}"): "service.read",
    ("GET", "/api/v3/papers/inspections/{server}"): "server.read",
    ("GET", "/api/v3/papers/templates/{kind}"): "paper.edit",
    ("PUT", "/api/v3/papers/templates/{kind}"): "paper.edit",
    ("GET", "/api/v3/papers/templates/{kind}/versions"): "paper.edit",
    ("GET", "/api/v3/changes"): "change.read",
    ("GET", "/api/v3/changes/conflicts"): "change.read",
    ("GET", "/requests/catalogue"): "form.edit",
    ("POST", "/requests/catalogue"): "form.edit",
    ("GET", "/requests/new"): "issue.create",
    ("GET", "/requests/new/{form_id}"): "issue.create",
    ("POST", "/requests/new/{form_id}"): "issue.create",
    ("GET", "/issues/{sr_id}/form"): "issue.read",
    ("POST", "/issues/{sr_id}/checklist/{number}"): "issue.read",
    ("GET", "/api/v3/request-forms"): "form.read",
    ("PUT", "/api/v3/request-forms"): "form.edit",
    ("GET", "/api/v3/request-forms/catalogue"): "form.read",
    ("GET", "/api/v3/request-forms/revisions"): "form.read",
    ("GET", "/api/v3/request-forms/{form_id}"): "form.read",
    ("POST", "/api/v3/request-forms/{form_id}/requests"): "issue.create",
    ("GET", "/service-levels"): "service.read",
    ("POST", "/service-levels/days"): "calendar.edit",
    ("POST", "/service-levels/days/remove"): "calendar.edit",
    ("GET", "/issues/{sr_id}/service"): "issue.read",
    ("POST", "/issues/{sr_id}/satisfaction"): "issue.read",
    ("POST", "/issues/{sr_id}/unresolved"): "issue.read",
    ("GET", "/api/v3/service-levels/report"): "service.read",
    ("GET", "/api/v3/service-levels/days"): "service.read",
    ("PUT", "/api/v3/service-levels/days/{day}"): "calendar.edit",
    ("DELETE", "/api/v3/service-levels/days/{day}"): "calendar.edit",
    ("GET", "/api/v3/service-levels/issues/{number}"): "issue.read",
    ("PUT", "/api/v3/service-levels/issues/{number}/satisfaction"): "issue.read",
    ("POST", "/api/v3/service-levels/issues/{number}/unresolved"): "issue.read",
    ("GET", "/rules"): "rule.read",
    ("POST", "/rules"): "rule.edit",
    ("GET", "/rules/new"): "rule.edit",
    ("GET", "/rules/{name}"): "rule.read",
    ("GET", "/rules/{name}/edit"): "rule.edit",
    ("POST", "/rules/{name}/edit"): "rule.edit",
    ("POST", "/rules/{name}/remove"): "rule.edit",
    ("POST", "/rules/{name}/decision"): "rule.edit",
    ("GET", "/tools"): "tool.read",
    ("GET", "/standing"): "standing.read",
    ("POST", "/standing/{number}/limits"): "standing.decide",
    ("POST", "/standing/{number}/decision"): "standing.decide",
    ("GET", "/documents"): "document.read",
    ("POST", "/documents"): "document.edit",
    ("GET", "/documents/new"): "document.edit",
    ("POST", "/documents/preview"): "document.edit",
    ("POST", "/documents/attachments/{sr_id}/{attachment_id}"): "document.edit",
    ("GET", "/documents/upload"): "document.edit",
    ("POST", "/documents/upload"): "document.edit",
    ("GET", "/documents/review"): "document.edit",
    ("POST", "/documents/review"): "document.review",
    ("GET", "/documents/{number}"): "document.read",
    ("GET", "/documents/{number}/edit"): "document.edit",
    ("POST", "/documents/{number}/edit"): "document.edit",
    ("GET", "/documents/{number}/details"): "document.edit",
    ("POST", "/documents/{number}/details"): "document.edit",
    ("POST", "/documents/{number}/versions"): "document.edit",
    ("GET", "/documents/{number}/difference"): "document.read",
    ("GET", "/documents/{number}/versions/{version}/file"): "document.read",
    ("POST", "/documents/{number}/versions/{version}/submit"): "document.edit",
    ("POST", "/documents/{number}/versions/{version}/restore"): "document.edit",
    ("POST", "/documents/{number}/versions/{version}/publish"): "document.review",
    ("POST", "/documents/{number}/versions/{version}/reject"): "document.review",
    ("POST", "/documents/{number}/passages/{ordinal}/rating"): "document.read",
    ("POST", "/api/v3/documents/{number}/passages/{ordinal}/rating"): "document.read",
    ("POST", "/documents/{number}/expire"): "document.edit",
    ("POST", "/documents/{number}/remove"): "document.remove",
    ("GET", "/api/v3/documents"): "document.read",
    ("POST", "/api/v3/documents"): "document.edit",
    ("GET", "/api/v3/documents/{number}"): "document.read",
    ("PUT", "/api/v3/documents/{number}"): "document.edit",
    ("DELETE", "/api/v3/documents/{number}"): "document.remove",
    ("POST", "/api/v3/documents/{number}/versions"): "document.edit",
    ("GET", "/api/v3/documents/{number}/difference"): "document.read",
    ("GET", "/api/v3/documents/{number}/versions/{version}/file"): "document.read",
    ("POST", "/api/v3/documents/{number}/versions/{version}/submit"): "document.edit",
    ("POST", "/api/v3/documents/{number}/versions/{version}/restore"): "document.edit",
    ("POST", "/api/v3/documents/{number}/versions/{version}/publish"): "document.review",
    ("POST", "/api/v3/documents/{number}/versions/{version}/reject"): "document.review",
    ("GET", "/artifacts"): "artifact.read",
    ("POST", "/artifacts/{number}/remove"): "artifact.remove",
    ("GET", "/api/v3/artifacts"): "artifact.read",
    ("GET", "/api/v3/artifacts/{number}"): "artifact.read",
    ("PUT", "/api/v3/artifacts/{name}/{version}"): "artifact.add",
    ("DELETE", "/api/v3/artifacts/{number}"): "artifact.remove",
    ("GET", "/search/documents"): "document.read",
    ("GET", "/search/documents/{number}"): "document.read",
    ("GET", "/search/passages/{passage_id}"): "document.read",
    ("GET", "/issues/{sr_id}/related"): "issue.read",
    ("GET", "/api/v3/issues/{sr_id}/related"): "issue.read",
    ("GET", "/api/v3/search/documents"): "document.read",
    ("GET", "/remote"): "remote.read",
    ("GET", "/remote/new"): "remote.run",
    ("POST", "/remote"): "remote.run",
    # Who may not read runs finds none.
    ("GET", "/remote/{number}"): "home.read",
    ("GET", "/remote/{number}/live"): "home.read",
    ("GET", "/remote/{number}/servers/{ordinal}"): "home.read",
    ("GET", "/remote/{number}/servers/{ordinal}/live"): "home.read",
    ("GET", "/remote/{number}/export"): "home.read",
    ("POST", "/remote/{number}/confirm"): "home.read",
    ("POST", "/remote/{number}/again"): "home.read",
    ("POST", "/remote/{number}/stop"): "home.read",
    ("GET", "/api/v3/remote-runs"): "home.read",
    ("POST", "/api/v3/remote-runs"): "home.read",
    ("GET", "/api/v3/remote-runs/{number}"): "home.read",
    ("GET", "/api/v3/remote-runs/{number}/servers"): "home.read",
    ("POST", "/api/v3/remote-runs/{number}/confirm"): "home.read",
    ("POST", "/api/v3/remote-runs/{number}/again"): "home.read",
    ("POST", "/api/v3/remote-runs/{number}/stop"): "home.read",
    ("GET", "/rollouts"): "rollout.read",
    ("GET", "/rollouts/new"): "rollout.plan",
    ("POST", "/rollouts/new"): "rollout.plan",
    ("POST", "/rollouts/{number}/again"): "rollout.plan",
    ("GET", "/rollouts/{number}"): "rollout.read",
    ("GET", "/rollouts/{number}/planned"): "rollout.read",
    ("GET", "/rollouts/{number}/live"): "rollout.read",
    ("POST", "/rollouts/{number}/options"): "rollout.plan",
    ("POST", "/rollouts/{number}/submit"): "rollout.plan",
    ("POST", "/rollouts/{number}/order"): "rollout.run",
    ("GET", "/console"): "command.give",
    ("POST", "/console"): "command.give",
    ("GET", "/console/preview"): "command.give",
    ("GET", "/console/complete"): "command.give",
    ("POST", "/console/press"): "command.give",
    ("GET", "/console/commands/{number}"): "command.give",
    ("POST", "/api/v3/commands"): "command.give",
    ("POST", "/api/v3/commands/press"): "command.give",
    ("GET", "/api/v3/commands/{number}"): "command.give",
    ("POST", "/costs/raise"): "budget.raise",
    ("POST", "/kill"): "control.kill",
    ("POST", "/release"): "control.release",
    ("GET", "/delegations"): "approval.answer",
    ("POST", "/delegations"): "delegation.set",
    ("POST", "/delegations/end"): "delegation.set",
    ("GET", "/account"): "account.link_own",
    ("POST", "/account/code"): "account.link_own",
    ("POST", "/account/links"): "account.link",
    ("POST", "/account/links/end"): "account.link",
    ("POST", "/account/passkeys/options"): "passkey.own",
    ("POST", "/account/passkeys"): "passkey.own",
    ("POST", "/account/passkeys/rename"): "passkey.own",
    ("POST", "/account/passkeys/remove"): "passkey.own",
    ("GET", "/account/password"): "password.own",
    ("POST", "/account/password"): "password.own",
    ("POST", "/account/sessions/end"): "session.own",
    ("GET", "/admin"): "worker.read",
    ("GET", "/tokens"): "token.own",
    ("POST", "/tokens"): "token.own",
    ("POST", "/tokens/revoke"): "token.own",
    ("GET", "/audit"): "audit.read",
    ("GET", "/audit/{seq}"): "audit.read",
    ("POST", "/audit/verify"): "audit.verify",
    ("POST", "/audit/export"): "audit.verify",
    ("GET", "/workers"): "worker.read",
    ("GET", "/channels"): "channel.read",
    ("POST", "/channels"): "channel.test",
    ("GET", "/teams"): "roster.read",
    ("POST", "/teams"): "team.edit",
    ("POST", "/teams/remove"): "team.edit",
    ("GET", "/org/edit"): "org.edit",
    ("POST", "/org/edit"): "org.edit",
    ("POST", "/agents/{agent_id}/control"): "agent.read",
    ("GET", "/people"): "person.read",
    ("GET", "/people/new"): "person.manage",
    ("POST", "/people"): "person.manage",
    ("GET", "/people/{account}"): "person.read",
    ("POST", "/people/{account}"): "person.manage",
    ("POST", "/people/{account}/state"): "person.manage",
    ("POST", "/people/{account}/password"): "person.manage",
    ("POST", "/people/{account}/join"): "person.manage",
    ("POST", "/people/{account}/session"): "person.manage",
    ("GET", "/rights"): "right.read",
    ("POST", "/rights/{number}"): "right.read",
    ("GET", "/rights/history"): "right.read",
    ("GET", "/rights/review"): "right.review",
    ("POST", "/rights/review"): "right.review",
    ("GET", "/servers"): "server.read",
    ("GET", "/servers/new"): "server.edit",
    ("POST", "/servers/new"): "server.edit",
    ("GET", "/servers/readings/{reading_id}"): "server.inspect",
    ("GET", "/servers/readings/{reading_id}/live"): "server.inspect",
    ("POST", "/servers/readings/{reading_id}/key"): "server.edit",
    ("POST", "/servers/readings/{reading_id}/accept"): "server.edit",
    ("GET", "/servers/{server_id}"): "server.read",
    ("GET", "/servers/{server_id}/live"): "server.read",
    ("POST", "/servers/{server_id}/reads"): "server.inspect",
    ("POST", "/servers/{server_id}/key"): "server.confirm_key",
    ("GET", "/servers/{server_id}/edit"): "server.edit",
    ("POST", "/servers/{server_id}/edit"): "server.edit",
    ("POST", "/servers/{server_id}/remove"): "server.remove",
    ("GET", "/institutions"): "server.read",
    ("POST", "/institutions"): "institution.edit",
    ("POST", "/institutions/{institution}"): "institution.edit",
    ("POST", "/institutions/{institution}/remove"): "institution.edit",
    ("GET", "/events"): "issue.read",
    ("GET", "/api/v3/kill-switch"): "plan.read",
    ("PUT", "/api/v3/kill-switch"): "control.kill",
    ("POST", "/api/v3/kill-switch/release"): "control.release",
    **GITHUB_ROUTES,
    **WEBHOOK_ROUTES,
}


class Rates:
    """How much a minute a token may call, and a person may submit and file."""

    def __init__(self, settings: Settings) -> None:
        self._calls, self._forms, self._requests = (
            RateLimit(number, time.monotonic)
            for number in (
                settings.api_calls_per_token,
                settings.forms_per_person,
                settings.requests_per_sender,
            )
        )

    def check(self, request: Request, action: str, visitor: Visitor) -> None:
        """Count a request. Raises `TooOften`; stopping is never refused."""
        request.state.rate = self._forms.state(visitor.person.id, time.time())
        if action == STOP:
            return
        changes = request.method not in {"GET", "HEAD"}
        seconds = 0
        if visitor.token.startswith(TOKEN_PREFIX):
            key = hashlib.sha256(visitor.token.encode()).hexdigest()
            if request.url.path != _UNCOUNTED:
                seconds = self._calls.take(key)
            request.state.rate = self._calls.state(key, time.time())
        elif changes:
            seconds = self._forms.take(visitor.person.id)
        if changes and action in OPENING:
            seconds = seconds or self._requests.take(visitor.person.id)
        if seconds:
            raise TooOften(seconds=seconds)


async def require_permission(request: Request) -> None:
    """Refuse a request without permission, and every route that is not listed."""
    path = str(getattr(request.scope.get("route"), "path", ""))
    action = request.app.state.rules.get((request.method, path))
    if action is None:
        raise Forbidden(who=request.method, action=path)
    if action not in {PUBLIC, AGENT_TOKEN}:
        # A changing request must come from one of our pages before anything else is checked.
        await require_csrf_token(request)
        visitor = await run_in_threadpool(current_visitor, request)
        request.app.state.rates.check(request, action, visitor)
        if visitor.person.allowed_actions == PASSWORD_CHANGE and action not in PASSWORD_CHANGE:
            raise PasswordChangeNeeded()
        require(visitor.person, action)
        request.state.person = visitor.person
