"""Timeline and outcome of an issue, read from the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry

PROGRESS_KINDS = (
    EntryKind.RECEIVED,
    EntryKind.PARSED,
    EntryKind.PLANNED,
    EntryKind.WAIVED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.CHANGES_ASKED,
    EntryKind.STARTED,
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.REOPENED,
    EntryKind.ACCEPTED,
    EntryKind.ACCEPTANCE_LAPSED,
)
"""Kinds of entries that a customer may see, without their content."""
_END_KINDS = (
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.REJECTED,
    EntryKind.UNDONE,
    EntryKind.NOT_RESTORED,
)
_MAX_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An entry of the audit log. Without permission to read the log, only its kind and time."""

    kind: str
    created_at: datetime
    seq: int = 0
    actor: str = ""
    text: str = ""
    current_hash: str = ""


def entries(session: Session, sr_id: int, seen: int, *, whole: bool) -> tuple[TimelineEntry, ...]:
    """Return the newest entries after the number `seen`, oldest first."""
    query = select(AuditEntry).where(AuditEntry.sr_id == sr_id, AuditEntry.seq > seen)
    if not whole:
        query = query.where(AuditEntry.kind.in_(PROGRESS_KINDS))
    found = session.scalars(query.order_by(AuditEntry.seq.desc()).limit(_MAX_ENTRIES)).all()
    return tuple(
        TimelineEntry(e.kind, e.created_at, e.seq, e.actor, e.log_content, e.current_hash)
        if whole
        else TimelineEntry(e.kind, e.created_at)
        for e in reversed(found)
    )


def outcome(session: Session, sr_id: int) -> str:
    """Return the text, or the reason, of an issue's last closing entry."""
    detail = session.scalar(
        select(AuditEntry.detail)
        .where(AuditEntry.sr_id == sr_id, AuditEntry.kind.in_(_END_KINDS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    return str((detail or {}).get("text") or (detail or {}).get("reason") or "")
