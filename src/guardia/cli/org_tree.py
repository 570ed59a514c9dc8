"""The organization as a tree in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from guardia.board.core.issue_ref import issue_ref
from guardia.i18n import t

if TYPE_CHECKING:
    from rich.console import Console

    from guardia.board.core.context import BoardContext
    from guardia.board.organization.view import AgentStatus, Organization

_REFRESH_SECONDS = 30.0
"""Seconds after which displayed times are refreshed even without an event."""


def tree(board: BoardContext) -> Tree:
    """Return the agents below their superiors, with what they are doing now."""
    from guardia.board.organization import view

    found = view.organization(board)
    head = Text(found.chart.company.name, "bold")
    head.append(f"  {t('org.revision', number=found.revision)}", "dim")
    root = Tree(head)
    _add_branches(root, found, None)
    return root


def follow(board: BoardContext, console: Console) -> None:
    """Show the tree and redraw it after every event, until the user interrupts."""
    from guardia.db import events

    news = events.listen(board.database.dsn, timeout=_REFRESH_SECONDS)
    next(news)
    with Live(tree(board), console=console, auto_refresh=False) as live:
        try:
            for _ in news:
                live.update(tree(board), refresh=True)
        except KeyboardInterrupt:
            live.update(tree(board), refresh=True)


def _add_branches(branch: Tree, found: Organization, superior: str | None) -> None:
    for member in found.direct_reports(superior):
        _add_branches(branch.add(_member_text(member)), found, member.agent_id)


def _member_text(member: AgentStatus) -> Text:
    """Return an agent's name and state, and a second line with its duties."""
    lines = Text(member.title, "bold")
    lines.append(f" {member.agent_id}", "dim")
    lines.append("  ")
    lines.append(*_state_label(member))
    if member.open_tasks:
        lines.append(f"  {t('org.live.open', tasks=member.open_tasks)}")
    return lines.append("\n").append(" · ".join(_member_details(member)), "dim")


def _member_details(member: AgentStatus) -> list[str]:
    from guardia.board.core.labels import format_time, label

    found = [t(f"org.duty.{member.duty}")]
    if member.adapter:
        found.append(t(f"org.adapter.kind.{member.adapter}"))
    if member.skills:
        found.append(", ".join(label("web.category", skill) for skill in member.skills))
    if member.last_beat is not None:
        found.append(t("org.live.beat", at=format_time(member.last_beat, "short")))
    return found


def _state_label(member: AgentStatus) -> tuple[str, str]:
    if member.working:
        if member.sr_id:
            return t("org.live.works_on", sr=issue_ref(member.sr_id)), "yellow"
        return t("org.live.awake"), "yellow"
    if member.paused:
        return t("org.live.paused"), "magenta"
    return t("org.live.idle"), "green"
