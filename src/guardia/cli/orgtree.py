"""The organization as a tree on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.desk import Desk
    from guardia.board.desk.orgview import Member, Organization


def tree(desk: Desk) -> Tree:
    """Everyone below whom they report to, with what they do now."""
    from guardia.board.desk import orgview

    found = orgview.organization(desk)
    head = Text(found.chart.company.name, "bold")
    head.append(f"  {t('org.revision', number=found.revision)}", "dim")
    root = Tree(head)
    _grow(root, found, None)
    return root


def _grow(branch: Tree, found: Organization, superior: str | None) -> None:
    for member in found.below(superior):
        _grow(branch.add(_line(member)), found, member.agent_id)


def _line(member: Member) -> Text:
    line = Text(member.title, "bold")
    line.append(f" {member.agent_id}", "dim")
    line.append(f"  {t(f'org.duty.{member.duty}')}")
    if member.skills:
        line.append(f" {', '.join(member.skills)}", "dim")
    line.append("  ")
    line.append(*_state(member))
    if member.open_tasks:
        line.append(f"  {t('org.live.open', tasks=member.open_tasks)}")
    if member.last_beat is not None:
        at = f"{member.last_beat.astimezone():%m-%d %H:%M:%S}"
        line.append(f"  {t('org.live.beat', at=at)}", "dim")
    return line


def _state(member: Member) -> tuple[str, str]:
    if member.working:
        words = {"sr": f"SR-{member.sr_id}"}
        return (t("org.live.works_on", **words) if member.sr_id else t("org.live.awake")), "yellow"
    if member.paused:
        return t("org.live.paused"), "magenta"
    return t("org.live.idle"), "green"
