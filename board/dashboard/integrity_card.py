"""Card of the audit log: when it was verified last, and whether it was intact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_VERIFICATIONS = (EntryKind.VERIFIED, EntryKind.VERIFIED_DAILY, EntryKind.BROKEN)


@dataclass(frozen=True, slots=True)
class Integrity:
    """State of the audit log."""

    entries: int
    verified_at: datetime | None
    intact: bool
    text: str
    """Sentence of the last verification."""
    signed_at: datetime | None
    signed: int
    """Entries that the newest checkpoint covers."""


class IntegrityCard:
    """The audit log at a glance."""

    name = "integrity"
    permission = "audit.read"
    template = "dashboard/integrity"
    filters = frozenset[str]()

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> Integrity:
        """Read the last verification and the newest checkpoint."""
        verified = (
            select(AuditEntry.kind, AuditEntry.created_at, AuditEntry.log_content)
            .where(AuditEntry.kind.in_(_VERIFICATIONS))
            .order_by(AuditEntry.seq.desc())
            .limit(1)
        )
        with board.database.reading() as session:
            size = log.snapshot_size(session)
            last = session.execute(verified).one_or_none()
            point = log.last_checkpoint(session)
        return Integrity(
            size,
            verified_at=last.created_at if last else None,
            intact=last is not None and last.kind != EntryKind.BROKEN,
            text=last.log_content if last else "",
            signed_at=point.time if point else None,
            signed=point.size if point else 0,
        )

    def table(self, data: Integrity, filters: CardFilters) -> CardTable:
        """Return a figure a row."""
        state = "never" if data.verified_at is None else "intact" if data.intact else "broken"
        rows = (
            ("state", t(f"dashboard.integrity.{state}"), data.verified_at),
            ("entries", data.entries, None),
            ("signed", data.signed, data.signed_at),
        )
        return CardTable(
            tuple(t(f"dashboard.column.{name}") for name in ("figure", "number", "moment")),
            tuple((t(f"dashboard.integrity.{name}"), *rest) for name, *rest in rows),
        )
