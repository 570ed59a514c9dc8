"""Entries of the navigation bar, each shown only with its permission."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One entry; `key` names its text in the catalogue."""

    key: str
    path: str
    action: str
    """Permission required to see it."""
    style: str = ""
    """`more`: not needed every day, behind a menu; `stop`: always in sight; `home`: counts."""


NAVIGATION_ITEMS = (
    NavigationItem("home.title", "/", "home.read", "home"),
    NavigationItem("dashboard.page.title", "/dashboard", "home.read", "more"),
    NavigationItem("web.nav.issues", "/issues", "issue.read"),
    NavigationItem("web.nav.new", "/issues/new", "issue.create"),
    NavigationItem("forms.title", "/requests/new", "issue.create", "more"),
    NavigationItem("commands.page.nav", "/console", "command.give"),
    NavigationItem("assignment.queue.title", "/queue", "queue.read"),
    NavigationItem("goals.page.title", "/goals", "goal.read"),
    NavigationItem("web.costs.title", "/costs", "costs.read", "more"),
    NavigationItem("autonomy.title", "/autonomy", "autonomy.read", "more"),
    NavigationItem("standing.title", "/standing", "standing.read", "more"),
    NavigationItem("cmdb.servers", "/servers", "server.read"),
    NavigationItem("rollouts.title", "/rollouts", "rollout.read"),
    NavigationItem("search.title", "/search/documents", "document.read", "more"),
    NavigationItem("artifacts.title", "/artifacts", "artifact.read", "more"),
    NavigationItem("documents.title", "/documents", "document.read"),
    NavigationItem("alerts.title", "/alerts", "alert.read", "more"),
    NavigationItem("changes.title", "/changes", "change.read", "more"),
    NavigationItem("service.title", "/service-levels", "service.read", "more"),
    NavigationItem("rules.title", "/rules", "rule.read", "more"),
    NavigationItem("web.delegation.nav", "/delegations", "approval.answer", "more"),
    NavigationItem("web.org.title", "/org", "org.read", "more"),
    NavigationItem("roster.page.title", "/roster", "roster.read", "more"),
    NavigationItem("roster.keys.title", "/host-keys", "cmdb.read", "more"),
    NavigationItem("web.runs.title", "/runs", "run.read", "more"),
    NavigationItem("catalog.title", "/tools", "tool.read", "more"),
    NavigationItem("notes.page.title", "/agents", "agent.read", "more"),
    NavigationItem("talk.page.title", "/talk-rules", "talk.read", "more"),
    NavigationItem("webhooks.title", "/webhooks", "webhook.read", "more"),
    NavigationItem("notices.page.title", "/notifications", "notice.own", "more"),
    NavigationItem("web.control.title", "/control", "plan.read", "stop"),
)


def visible_items(person: PersonInfo) -> list[NavigationItem]:
    """Return the entries that a person sees, in order."""
    return [item for item in NAVIGATION_ITEMS if is_allowed(person, item.action)]


def current_item(path: str) -> NavigationItem | None:
    """Return the entry with the longest path that is a prefix of `path`."""
    under = [p for p in NAVIGATION_ITEMS if path == p.path or path.startswith(p.path + "/")]
    return max(under, key=lambda p: len(p.path), default=None)
