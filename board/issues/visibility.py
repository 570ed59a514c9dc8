"""TODO."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, select, true

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


def visible_to(viewer: PersonInfo) -> ColumnElement[bool]:
    """The issues that a person may see: customers those of their institution only."""
    if not is_allowed(viewer, "issue.read"):
        return false()
    if viewer.role != "customer":
        return true()
    return Issue.inst_id == viewer.institution if viewer.institution else false()


def can_see(board: BoardContext, viewer: PersonInfo, sr_id: int) -> bool:
    """Whether the issue exists for this person."""
    with board.database.reading() as session:
        query = select(Issue.sr_id).where(Issue.sr_id == sr_id, visible_to(viewer))
        return session.scalar(query) is not None


def institution_of(board: BoardContext, sr_id: int) -> str | None:
    """Whose issue it is, or ``None`` as long as nobody knows."""
    with board.database.reading() as session:
        return session.scalar(select(Issue.inst_id).where(Issue.sr_id == sr_id))
