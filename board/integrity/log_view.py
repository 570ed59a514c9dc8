"""Search the audit log by keyset, and one entry with the checkpoint that covers it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import ChainEntry
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.model import AuditCheckpoint, AuditEntry
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo

READ = "audit.read"
PAGE = 50
WINDOW = 20_000
"""Entries that one search for words looks at; the next page goes on from there."""
_HASH = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries are shown."""

    text: str = ""
    """Words in the sentence of an entry, or at least eight digits of a hash."""
    kind: str = ""
    actor: str = ""
    """A stored actor such as `person:lead`, or the id of one."""
    sr_id: int | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """One entry of the list."""

    seq: int
    created_at: datetime
    actor: str
    kind: str
    sr_id: int | None
    content: str
    current_hash: str
    altered: bool
    """Whether the entry is not what was chained."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page of entries, newest first."""

    rows: tuple[LogRow, ...]
    before: int | None
    """Cursor of the next page, or `None` at the beginning of the log."""
    searched_to: int | None
    """The entry at which a search for words has stopped looking, if it did."""
    size: int


def search(
    board: BoardContext,
    by: PersonInfo | Actor,
    wanted: LogFilter,
    *,
    before: int | None = None,
    size: int = PAGE,
) -> LogPage:
    """Return one page of the entries that fit; its cost does not grow with the log."""
    require_actor(by, READ)
    with board.database.reading() as session:
        total = log.snapshot_size(session)
        if _HASH.fullmatch(wanted.text):
            found = _by_hash(session, wanted.text, size)
            return LogPage(_rows(session, found), None, None, total)
        query = select(AuditEntry).where(*_conditions(session, wanted))
        query = query.where(AuditEntry.seq < before) if before is not None else query
        query = query.order_by(AuditEntry.seq.desc())
        if not wanted.text:
            found = list(session.scalars(query.limit(size + 1)))
            more = found[size - 1].seq if len(found) > size else None
            return LogPage(_rows(session, found[:size]), more, None, total)
        return _search_words(session, query, wanted.text, size, total)


def _search_words(
    session: Session, query: Select[AuditEntry], text: str, size: int, total: int
) -> LogPage:
    """Look for words in a bounded part of the entries that fit otherwise."""
    part = query.limit(WINDOW).subquery()
    last, count = session.execute(select(func.min(part.c.seq), func.count())).one()
    word = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    inside = (
        select(part.c.seq)
        .where(part.c.log_content.ilike(f"%{word}%"))
        .order_by(part.c.seq.desc())
        .limit(size + 1)
    )
    numbers = list(session.scalars(inside))
    found = session.scalars(
        select(AuditEntry).where(AuditEntry.seq.in_(numbers[:size])).order_by(AuditEntry.seq.desc())
    ).all()
    if len(numbers) > size:
        return LogPage(_rows(session, list(found)), numbers[size - 1], None, total)
    further = last if count == WINDOW else None
    return LogPage(_rows(session, list(found)), further, further, total)


def _by_hash(session: Session, prefix: str, size: int) -> list[AuditEntry]:
    # A range finds a prefix in the index of any collation: hashes are digits and letters up to f.
    within = AuditEntry.current_hash >= prefix, AuditEntry.current_hash < f"{prefix}g"
    return list(session.scalars(select(AuditEntry).where(*within).limit(size)))


def _conditions(session: Session, wanted: LogFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.kind:
        found.append(AuditEntry.kind == wanted.kind)
    if wanted.actor:
        plain = wanted.actor
        forms = [plain] if ":" in plain else [f"{kind}:{plain}" for kind in _KINDS]
        found.append(AuditEntry.actor.in_(forms))
    if wanted.sr_id is not None:
        found.append(AuditEntry.sr_id == wanted.sr_id)
    # Time only moves forward along the chain, so a period is a range of numbers.
    if wanted.first_day is not None:
        first = session.scalar(
            select(AuditEntry.seq)
            .where(AuditEntry.created_at >= _midnight(wanted.first_day))
            .order_by(AuditEntry.created_at)
            .limit(1)
        )
        found.append(AuditEntry.seq >= (first if first is not None else _BEYOND))
    if wanted.last_day is not None:
        last = session.scalar(
            select(AuditEntry.seq)
            .where(AuditEntry.created_at < _midnight(wanted.last_day + timedelta(days=1)))
            .order_by(AuditEntry.created_at.desc())
            .limit(1)
        )
        found.append(AuditEntry.seq <= (last or 0))
    return found


_KINDS = ("person", "agent", "channel", "operator", "system")
_BEYOND = 2**63 - 1


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SEOUL)


def _rows(session: Session, found: list[AuditEntry]) -> tuple[LogRow, ...]:
    altered = log.altered_entries(session, [row.seq for row in found]) if found else frozenset()
    return tuple(
        LogRow(
            row.seq,
            row.created_at,
            row.actor,
            row.kind,
            row.sr_id,
            row.log_content,
            row.current_hash,
            row.seq in altered,
        )
        for row in found
    )


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry, whether it is what was chained, and the checkpoint that covers it."""

    entry: ChainEntry
    altered: bool
    next_hash_matches: bool
    """Whether the entry after it names this one's hash."""
    checkpoint: Checkpoint | None
    """The first signed checkpoint at or after it; `None`: not signed yet."""


def entry(board: BoardContext, by: PersonInfo | Actor, seq: int) -> EntryView:
    """Return an entry. Raises `NotFound` if there is none of this number."""
    require_actor(by, READ)
    with board.database.reading() as session:
        found = log.entry_at(session, seq)
        if found is None:
            raise NotFound(what=f"#{seq}")
        following = log.entry_at(session, seq + 1)
        covering = session.scalar(
            select(AuditCheckpoint.size)
            .where(AuditCheckpoint.chain == log.CHAIN, AuditCheckpoint.size >= seq)
            .order_by(AuditCheckpoint.size)
            .limit(1)
        )
        signed = log.last_checkpoint(session, covering) if covering is not None else None
        return EntryView(
            found,
            bool(log.altered_entries(session, [seq])),
            following is None or following.previous_hash == found.current_hash,
            signed,
        )
