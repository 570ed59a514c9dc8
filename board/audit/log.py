"""The audit log in the database: append entries, read them, verify the whole chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.orm import Session

from guardia.board.audit.chain import ChainEntry, ChainPosition, ChainVerdict, clean, verify
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditCheckpoint, AuditEntry, ChainHead
from guardia.board.audit.signing_keys import SUCCESSION_KIND
from guardia.db import events, jobs
from guardia.i18n import t_default

CHAIN = "main"
CHECKPOINT_EVERY = 1000
"""Number of entries after which a checkpoint is due, however little time has passed."""
_TICK = timedelta(microseconds=1)
_BATCH = 2000
_END = text("select size, head, last_at from tb_audit_head where chain = :chain for update")
_APPEND = text("""
    with entry as (
        insert into tb_audit_log (seq, created_at, actor, kind, sr_id, task_id, log_content, detail,
            previous_hash, current_hash)
        values (:seq, :created_at, :actor, :kind, :sr_id, :task_id, :log_content, :detail,
            :previous_hash, :current_hash)
    ), moved as (
        update tb_audit_head set size = :seq, head = :current_hash, last_at = :created_at
        where chain = :chain
    )
    select pg_notify(:channel, :payload)
""").bindparams(bindparam("detail", type_=JSONB))


def append(
    session: Session,
    kind: EntryKind,
    *,
    actor: str,
    now: datetime,
    sr_id: int | None = None,
    task_id: int | None = None,
    detail: dict[str, Any] | None = None,
    **words: str | int,
) -> ChainEntry:
    """Append an entry in the caller's transaction and notify listeners.

    The sentence is `audit.<kind>` of the catalogue, filled with `words`. Entries are ordered
    because each append locks the chain's head until its transaction ends: so call this last.
    """
    # Write, and lock, everything else of this transaction before locking the head.
    session.flush()
    end = session.execute(_END, {"chain": CHAIN}).one()
    # Clocks step back and hosts disagree; along the chain time only moves forward.
    moment = max(now, end.last_at + _TICK)
    unsigned = ChainEntry(
        seq=end.size + 1,
        created_at=moment,
        actor=clean(actor),
        kind=kind.value,
        sr_id=sr_id,
        task_id=task_id,
        log_content=clean(t_default(f"audit.{kind}", **words)),
        detail=clean(detail or {}),
        previous_hash=end.head,
    )
    fields = {name: getattr(unsigned, name) for name in unsigned.__slots__}
    link = ChainEntry(**{**fields, "current_hash": unsigned.hash()})
    row = {name: getattr(link, name) for name in link.__slots__}
    payload = events.message(seq=link.seq, kind=kind.value, sr_id=sr_id, task_id=task_id)
    session.execute(_APPEND, {**row, "chain": CHAIN, "channel": events.CHANNEL, "payload": payload})
    if link.seq % CHECKPOINT_EVERY == 0:
        jobs.defer(session, "seal", lock="seal")
    return link


def lock_head(session: Session) -> str:
    """Return the hash that the next entry will name; locks the head until the transaction ends."""
    found = session.execute(
        text("select head from tb_audit_head where chain = :chain for update"), {"chain": CHAIN}
    )
    return str(found.scalar_one())


def entries(session: Session, after: int = 0, until: int | None = None) -> Iterator[ChainEntry]:
    """Yield the entries after number `after`, read in batches."""
    while True:
        query = select(*AuditEntry.__table__.columns).where(AuditEntry.seq > after)
        if until is not None:
            query = query.where(AuditEntry.seq <= until)
        rows = session.execute(query.order_by(AuditEntry.seq).limit(_BATCH)).all()
        for row in rows:
            yield ChainEntry(**row._mapping)
        if len(rows) < _BATCH:
            return
        after = rows[-1].seq


def entry_at(session: Session, seq: int) -> ChainEntry | None:
    """Return entry number `seq`, or `None`."""
    return next(entries(session, seq - 1, seq), None)


def position_of(session: Session, current_hash: str) -> int | None:
    """Return the number of the entry with this hash, or `None`."""
    query = select(AuditEntry.seq).where(AuditEntry.current_hash == current_hash)
    return session.scalar(query)


def head(session: Session) -> ChainPosition:
    """Return the end of the chain as the writers recorded it."""
    row = session.scalars(select(ChainHead).where(ChainHead.chain == CHAIN)).one()
    return ChainPosition(row.size, row.head, row.last_at)


def checkpoints(session: Session, after: int = 0, until: int | None = None) -> Iterator[Checkpoint]:
    """Yield the signed checkpoints that cover more than `after` entries, read in batches."""
    table = AuditCheckpoint.__table__
    while True:
        query = select(*table.columns).where(table.c.chain == CHAIN, table.c.size > after)
        if until is not None:
            query = query.where(table.c.size <= until)
        rows = session.execute(query.order_by(table.c.size).limit(_BATCH)).all()
        for row in rows:
            yield Checkpoint(**row._mapping)
        if len(rows) < _BATCH:
            return
        after = rows[-1].size


def last_checkpoint(session: Session, until: int | None = None) -> Checkpoint | None:
    """Return the newest signed checkpoint that covers at most `until` entries."""
    table = AuditCheckpoint.__table__
    query = select(*table.columns).where(table.c.chain == CHAIN)
    if until is not None:
        query = query.where(table.c.size <= until)
    row = session.execute(query.order_by(table.c.size.desc()).limit(1)).first()
    return Checkpoint(**row._mapping) if row else None


def add_checkpoint(session: Session, signed: Checkpoint) -> bool:
    """Store a checkpoint. Returns `False` if another one already follows the same predecessor."""
    fields = {name: getattr(signed, name) for name in signed.__slots__}
    added = session.execute(
        postgres_insert(AuditCheckpoint)
        .values(**fields)
        .on_conflict_do_nothing()
        .returning(AuditCheckpoint.size)
    )
    return added.first() is not None


def announcements(
    session: Session, use: str, after: int = 0, until: int | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """Return the entries after number `after` that announce another key for `use`, in order."""
    query = select(AuditEntry.seq, AuditEntry.detail).where(
        AuditEntry.kind == SUCCESSION_KIND,
        AuditEntry.detail["use"].as_string() == use,
        AuditEntry.seq > after,
    )
    if until is not None:
        query = query.where(AuditEntry.seq <= until)
    return [(row.seq, row.detail) for row in session.execute(query.order_by(AuditEntry.seq))]


def announced_key(session: Session, use: str) -> str | None:
    """Return the key announced last for `use` (hex), or `None`."""
    found = announcements(session, use)
    return str(found[-1][1].get("public")) if found else None


def verify_all(session: Session) -> ChainVerdict:
    """Verify the whole chain and compare its end with the head that the writers keep."""
    end = head(session)
    return verify(entries(session), size=end.size, head=end.head)


def count_entries(session: Session) -> int:
    """Return the number of entries."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def snapshot_size(session: Session) -> int:
    """Return the length of the audit log in this snapshot."""
    return session.scalar(select(func.coalesce(func.max(ChainHead.size), 0))) or 0
