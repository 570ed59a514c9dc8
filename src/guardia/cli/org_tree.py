"""The organization as a tree on the terminal."""

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
"""Seconds after which the times are read again though nothing was announced."""


def tree(board: BoardContext) -> Tree:
    """Everyone below whom they report to, with what they do now."""
    from guardia.board.organization import view

    found = view.organization(board)
    head = Text(found.chart.company.name, "bold")
    head.append(f"  {t('org.revision', number=found.revision)}", "dim")
    root = Tree(head)
    _add_branches(root, found, None)
    return root


def follow(board: BoardContext, console: Console) -> None:
    """The tree, drawn again whenever something happens, until the user has seen enough."""
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
    """Who it is and what it does now; below that, what it is for."""
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
