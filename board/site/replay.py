"""What a page that reconnects has missed, read from the audit log: its last entries are the log."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import ColumnElement, or_, select

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo

SWITCH_KINDS = frozenset({EntryKind.KILLED, EntryKind.RELEASED, EntryKind.KILL_REPORT})
"""Kinds of entries that change the band of the kill switch, which is on every page."""
MOST = 1000
"""Entries that are looked at; a page that is further behind reads again in any case."""


class Shown(Protocol):
    """A page: who reads it, and the issue that it shows, if it is one."""

    @property
    def person(self) -> PersonInfo:
        """Who reads it."""

    @property
    def sr_id(self) -> int | None:
        """The number of its issue; `None` for a list."""


def has_entries(board: BoardContext, page: Shown, seen: int) -> bool:
    """Return whether an entry after number `seen` concerns a page."""
    visible = select(Issue.sr_id).where(Issue.sr_id == AuditEntry.sr_id, visible_to(page.person))
    of_page: ColumnElement[bool] = visible.exists()
    if page.sr_id is not None:
        of_page = AuditEntry.sr_id == page.sr_id
    concerns = or_(of_page, AuditEntry.kind.in_(SWITCH_KINDS))
    newer = select(AuditEntry.seq).where(AuditEntry.seq > seen).order_by(AuditEntry.seq)
    with board.database.reading() as session:
        known = session.scalars(newer.limit(MOST + 1)).all()
        if len(known) > MOST:
            return True
        found = select(AuditEntry.seq).where(AuditEntry.seq.in_(known), concerns).limit(1)
        return bool(known) and session.scalar(found) is not None
