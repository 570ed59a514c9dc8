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
    group: str = "work"
    """Where it is in the menu of all pages, one of `GROUPS`."""

    @property
    def is_daily(self) -> bool:
        """Return whether it is in the row of wide windows."""
        return self.style in {"", "home"}


GROUPS = ("work", "servers", "agents", "documents", "figures")
"""Groups of the menu of all pages, in order; each names its text."""


NAVIGATION_ITEMS = (
    NavigationItem("home.title", "/", "home.read", "home"),
    NavigationItem("dashboard.page.title", "/dashboard", "home.read", "more", group="figures"),
    NavigationItem("web.nav.issues", "/issues", "issue.read"),
    NavigationItem("web.nav.new", "/issues/new", "issue.create"),
    NavigationItem("forms.title", "/requests/new", "issue.create", "more"),
    NavigationItem("commands.page.nav", "/console", "command.give"),
    NavigationItem("remote.title", "/remote", "remote.read", group="servers"),
    NavigationItem("assignment.queue.title", "/queue", "queue.read"),
    NavigationItem("goals.page.title", "/goals", "goal.read"),
    NavigationItem("web.costs.title", "/costs", "costs.read", "more", group="figures"),
    NavigationItem("autonomy.title", "/autonomy", "autonomy.read", "more", group="agents"),
    NavigationItem("standing.title", "/standing", "standing.read", "more", group="agents"),
    NavigationItem("cmdb.servers", "/servers", "server.read", group="servers"),
    NavigationItem("rollouts.title", "/rollouts", "rollout.read", group="servers"),
    NavigationItem("search.title", "/search/documents", "document.read", "more", group="documents"),
    NavigationItem("artifacts.title", "/artifacts", "artifact.read", "more", group="servers"),
    NavigationItem("documents.title", "/documents", "document.read", group="documents"),
    NavigationItem("alerts.title", "/alerts", "alert.read", "more", group="servers"),
    NavigationItem("changes.title", "/changes", "change.read", "more", group="servers"),
    NavigationItem("service.title", "/service-levels", "service.read", "more", group="figures"),
    NavigationItem("papers.reports.title", "/reports", "service.read", "more", group="figures"),
    NavigationItem("rules.title", "/rules", "rule.read", "more", group="agents"),
    NavigationItem("web.delegation.nav", "/delegations", "approval.answer", "more"),
    NavigationItem("web.org.title", "/org", "org.read", "more", group="agents"),
    NavigationItem("roster.page.title", "/roster", "roster.read", "more", group="servers"),
    NavigationItem("roster.keys.title", "/host-keys", "cmdb.read", "more", group="servers"),
    NavigationItem("web.runs.title", "/runs", "run.read", "more", group="agents"),
    NavigationItem("catalog.title", "/tools", "tool.read", "more", group="agents"),
    NavigationItem("notes.page.title", "/agents", "agent.read", "more", group="agents"),
    NavigationItem("talk.page.title", "/talk-rules", "talk.read", "more", group="agents"),
    NavigationItem("webhooks.title", "/webhooks", "webhook.read", "more", group="figures"),
    NavigationItem("notices.page.title", "/notifications", "notice.own", "more"),
    NavigationItem("accounts.admin.title", "/admin", "worker.read", "more", group="figures"),
    NavigationItem("web.control.title", "/control", "plan.read", "stop"),
)


ADMINISTRATION_GROUPS: tuple[tuple[str, tuple[NavigationItem, ...]], ...] = (
    (
        "people",
        (
            NavigationItem("accounts.people.title", "/people", "person.read"),
            NavigationItem("accounts.rights.title", "/rights", "right.read"),
            NavigationItem("accounts.review.title", "/rights/review", "right.review"),
            NavigationItem("accounts.history.title", "/rights/history", "right.read"),
            NavigationItem("accounts.tokens.title", "/tokens", "token.own"),
            NavigationItem("accounts.teams.title", "/teams", "roster.read"),
        ),
    ),
    (
        "organization",
        (
            NavigationItem("web.org.title", "/org", "org.read"),
            NavigationItem("accounts.chart.title", "/org/edit", "org.edit"),
            NavigationItem("notes.page.title", "/agents", "agent.read"),
            NavigationItem("web.costs.title", "/costs", "costs.read"),
            NavigationItem("rules.title", "/rules", "rule.read"),
            NavigationItem("forms.editor.title", "/requests/catalogue", "form.edit"),
            NavigationItem("papers.templates.title", "/papers/templates", "paper.edit"),
            NavigationItem("cmdb.institutions", "/institutions", "server.read"),
            NavigationItem("cmdb.servers", "/servers", "server.read"),
        ),
    ),
    (
        "system",
        (
            NavigationItem("audit.page.title", "/audit", "audit.read"),
            NavigationItem("notices.channels.title", "/channels", "channel.read"),
            NavigationItem("wake.workers.title", "/workers", "worker.read"),
        ),
    ),
)
"""What administers the installation, in groups; the key of a group names its text."""


def administration(person: PersonInfo) -> list[tuple[str, list[NavigationItem]]]:
    """Return the groups of administration that a person sees."""
    groups = [
        (key, [item for item in items if is_allowed(person, item.action)])
        for key, items in ADMINISTRATION_GROUPS
    ]
    return [(key, items) for key, items in groups if items]


def visible_items(person: PersonInfo) -> list[NavigationItem]:
    """Return the entries that a person sees, in order."""
    return [item for item in NAVIGATION_ITEMS if is_allowed(person, item.action)]


def grouped(items: list[NavigationItem]) -> list[tuple[str, list[NavigationItem]]]:
    """Return the entries of the menu of all pages in their groups; `stop` is in none."""
    shown = [item for item in items if item.style != "stop"]
    groups = [(name, [item for item in shown if item.group == name]) for name in GROUPS]
    return [(name, found) for name, found in groups if found]


def current_item(path: str) -> NavigationItem | None:
    """Return the entry with the longest path that is a prefix of `path`."""
    under = [p for p in NAVIGATION_ITEMS if path == p.path or path.startswith(p.path + "/")]
    return max(under, key=lambda p: len(p.path), default=None)
