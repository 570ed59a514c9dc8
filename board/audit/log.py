"""The audit log in the database: append entries, read them, verify the whole chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

import psycopg
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit.canonical import clean
from guardia.board.audit.chain import (
    ENTRY_DOMAIN,
    SEQ_NAME,
    ChainEntry,
    ChainPosition,
    ChainVerdict,
    NewEntry,
    StoredEntry,
    verify,
)
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditCheckpoint, AuditEntry, ChainHead
from guardia.board.audit.signing_keys import SUCCESSION_KIND
from guardia.db import events, jobs
from guardia.db.engine import driver_connection
from guardia.errors import ProgrammerError
from guardia.i18n import t_default
from guardia.personal_numbers import mask_resident_numbers
from guardia.text import clean_json

CHAIN = "main"
CHECKPOINT_EVERY = 1000
"""Number of entries after which a checkpoint is due, however little time has passed."""
_BATCH = 2000
_COLUMNS = f"select {', '.join(ChainEntry.__slots__)}, canonical from tb_audit_log"
_ROWS = f"{_COLUMNS} where seq > %s and seq <= %s order by seq limit {_BATCH}"
_CHOSEN = f"{_COLUMNS} where seq = any(%s)"
# One statement: the head is locked, the hash computed, the row and the new head written, listeners
# notified. The columns are taken from the very bytes that are hashed. Clocks step back and hosts
# disagree; along the chain time only moves forward.
_APPEND = f"""
    with place as materialized (
        select size + 1 as seq, head as previous_hash,
            greatest(%(now)s, last_at + interval '1 microsecond') as created_at
        from tb_audit_head where chain = '{CHAIN}' for update
    ), bytes as materialized (
        select *, %(first)s::text || (extract(epoch from created_at) * 1000000)::bigint
            || %(second)s::text || previous_hash || '{SEQ_NAME}' || seq || %(last)s::text
            as canonical
        from place
    ), entry as materialized (
        select *, canonical::jsonb as body,
            encode(sha256(convert_to(%(domain)s::text || canonical, 'UTF8')), 'hex') as current_hash
        from bytes
    ), added as (
        insert into tb_audit_log (seq, created_at, actor, kind, sr_id, task_id, log_content, detail,
            previous_hash, current_hash, canonical)
        select seq, created_at, body ->> 'actor', body ->> 'kind', (body ->> 'sr_id')::bigint,
            (body ->> 'task_id')::bigint, body ->> 'log_content', body -> 'detail', previous_hash,
            current_hash, canonical
        from entry
    ), moved as (
        update tb_audit_head
        set size = entry.seq, head = entry.current_hash, last_at = entry.created_at
        from entry where chain = '{CHAIN}'
    )
    select seq, created_at, previous_hash, current_hash,
        pg_notify(%(channel)s, '{{"seq": ' || seq || %(event)s::text)
    from entry
"""
# Each row with whether its columns say what its canonical bytes say. As text, because 1 and 1.0 are
# equal as numbers but not as bytes.
_STORED = """
    select seq, created_at, kind, previous_hash, current_hash, canonical,
        canonical::jsonb::text = jsonb_build_object(
            'seq', seq, 'created_at', (extract(epoch from created_at) * 1000000)::bigint,
            'actor', actor, 'kind', kind, 'sr_id', sr_id, 'task_id', task_id,
            'log_content', log_content, 'detail', detail, 'previous_hash', previous_hash)::text
    from tb_audit_log where seq > %s order by seq limit %s
"""
_LAST_SEQ = 2**63 - 1
# The kind as in the condition of the partial index, not as a parameter.
_ANNOUNCEMENTS = f"""
    select seq, detail from tb_audit_log
    where kind = '{SUCCESSION_KIND.value}' and detail ->> 'use' = %s and seq > %s and seq <= %s
    order by seq
"""
_LOCK_HEAD = f"select head from tb_audit_head where chain = '{CHAIN}' for update"
# One statement for what a checkpoint is signed from: the end of the chain, the newest checkpoint,
# whether a key was ever announced, and the first entries after that checkpoint.
_UNSIGNED = f"""
    select end_.size, end_.head, end_.last_at, last.chain, last.size, last.head, last.time,
        last.previous, last.key, last.signature,
        exists (select from tb_audit_log
            where kind = '{SUCCESSION_KIND.value}' and detail ->> 'use' = %s),
        added.*
    from tb_audit_head as end_ left join lateral (
        select * from tb_audit_checkpoint as c where c.chain = end_.chain
        order by c.size desc limit 1) as last on true
    left join lateral (
        {_COLUMNS} where seq > coalesce(last.size, 0) order by seq limit {_BATCH}) as added on true
    where end_.chain = '{CHAIN}' order by added.seq
"""
_ADD_CHECKPOINT = """
    insert into tb_audit_checkpoint (chain, size, head, time, previous, key, signature)
    values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
_SYSTEM_FIRST = """
    select pg_catalog.set_config('search_path', pg_catalog.textcat(
        'pg_catalog, ', pg_catalog.current_setting('search_path')), true)
"""


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
    new = NewEntry(
        clean(mask_resident_numbers(actor)),
        kind.value,
        sr_id,
        task_id,
        clean(mask_resident_numbers(t_default(f"audit.{kind}", **words))),
        clean(clean_json(detail or {})),
    )
    link = _insert(session, new, now)
    if link.seq % CHECKPOINT_EVERY == 0:
        jobs.defer(session, "seal", lock="seal")
    return link


def _insert(session: Session, new: NewEntry, now: datetime) -> ChainEntry:
    fragments = new.fragments()
    event = events.message(kind=new.kind, sr_id=new.sr_id, task_id=new.task_id)
    row = driver_connection(session).execute(
        _APPEND,
        {
            "now": now,
            **dict(zip(("first", "second", "last"), fragments, strict=True)),
            "domain": ENTRY_DOMAIN,
            "channel": events.CHANNEL,
            "event": f", {event[1:]}",
        },
    )
    found = row.fetchone()
    if found is None:
        raise ProgrammerError(why="the chain has no head")
    seq, created_at, previous_hash, current_hash, _ = found
    link = new.placed(fragments, seq, created_at, previous_hash)
    if link.current_hash != current_hash:
        raise ProgrammerError(why=f"entry {seq}: the database hashed other bytes")
    return link


def lock_head(session: Session) -> str:
    """Return the hash that the next entry will name; locks the head until the transaction ends."""
    found = driver_connection(session).execute(_LOCK_HEAD).fetchone()
    if found is None:
        raise ProgrammerError(why="the chain has no head")
    return str(found[0])


def entries(session: Session, after: int = 0, until: int | None = None) -> Iterator[ChainEntry]:
    """Yield the entries after number `after` as their columns have them, read in batches."""
    for row in _rows(session, after, until):
        yield ChainEntry(*row[:-1])


def recomputed_entries(
    session: Session, after: int = 0, *, most: int | None = None
) -> Iterator[StoredEntry]:
    """Yield stored entries whose canonical bytes were composed from the columns and compared.

    Slower than `stored_entries`, but it depends on nothing that the database computes and accepts
    only the canonical form. What is to be signed is read in this way first.
    """
    for row in islice(_rows(session, after, None), most):
        yield _recomputed(row)


def _recomputed(row: Any) -> StoredEntry:
    *values, canonical = row
    return ChainEntry(*values).stored(canonical)


def _rows(session: Session, after: int, until: int | None) -> Iterator[Any]:
    connection, last = driver_connection(session), _LAST_SEQ if until is None else until
    while True:
        rows = connection.execute(_ROWS, (after, last)).fetchall()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = rows[-1][0]


def stored_entries(session: Session, after: int = 0) -> Iterator[StoredEntry]:
    """Yield the stored entries after number `after` for a verification, read in batches.

    The database compares the columns with the canonical bytes, so that none is composed here.
    Entries of versions that stored no bytes are recomputed.
    """
    use_system_functions(session)
    while True:
        rows = _compared_rows(session, after)
        rows = rows or list(recomputed_entries(session, after, most=_BATCH))
        yield from rows
        if len(rows) < _BATCH:
            return
        after = rows[-1].seq


def _compared_rows(session: Session, after: int) -> list[StoredEntry]:
    """Return the next entries; none if one has no bytes, or bytes that are no JSON."""
    connection = driver_connection(session)
    try:
        with connection.transaction():  # a savepoint
            rows = connection.cursor(binary=True).execute(_STORED, (after, _BATCH)).fetchall()
    except psycopg.DataError:
        return []
    return [] if any(row[5] is None for row in rows) else [*map(StoredEntry._make, rows)]


def use_system_functions(session: Session) -> None:
    """Use the system's own functions and operators in this transaction.

    A verification must not be answered by what an attacker put in front of them.
    """
    driver_connection(session).execute(_SYSTEM_FIRST)


def entry_at(session: Session, seq: int) -> ChainEntry | None:
    """Return entry number `seq`, or `None`."""
    return next(entries(session, seq - 1, seq), None)


def altered_entries(session: Session, numbers: Sequence[int]) -> frozenset[int]:
    """Return which of these entries no longer have the hash that the chain keeps.

    A quick look for a page. Only a verification shows that no entry is missing or was rewritten
    together with those after it.
    """
    found = driver_connection(session).execute(_CHOSEN, (list(numbers),))
    return frozenset(
        entry.seq for row in found if (entry := _recomputed(row)).hash() != entry.current_hash
    )


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


@dataclass(frozen=True, slots=True)
class UnsignedPart:
    """What the log has beyond its newest signed checkpoint."""

    end: ChainPosition
    last: Checkpoint | None
    announced: bool
    """Whether an entry announces another key for checkpoints."""
    _first: Sequence[Any]
    """The first entries after the checkpoint, as they are stored."""

    def entries(self, session: Session) -> Iterator[StoredEntry]:
        """Yield the entries after the checkpoint, like `recomputed_entries`."""
        rows = iter(self._first)
        if len(self._first) == _BATCH:
            rows = chain(rows, _rows(session, self._first[-1][0], self.end.size))
        yield from map(_recomputed, rows)


def unsigned_part(session: Session, use: str) -> UnsignedPart:
    """Return the end of the chain, its newest checkpoint, and what follows that one.

    `use` is that of the keys whose announcements are looked for.
    """
    rows = driver_connection(session).execute(_UNSIGNED, (use,)).fetchall()
    if not rows:
        raise ProgrammerError(why="the chain has no head")
    row = rows[0]
    last = Checkpoint(*row[3:10]) if row[3] is not None else None
    added = [row[11:] for row in rows if row[11] is not None]
    return UnsignedPart(ChainPosition(*row[:3]), last, row[10], added)


def add_checkpoint(session: Session, signed: Checkpoint) -> bool:
    """Store a checkpoint. Returns `False` if another one already follows the same predecessor."""
    fields = [getattr(signed, name) for name in signed.__slots__]
    return driver_connection(session).execute(_ADD_CHECKPOINT, fields).rowcount == 1


def presupposes_checkpoint(session: Session) -> bool:
    """Return whether an entry exists that is only written after a checkpoint: an approval.

    Work that needs no approval may start before the first checkpoint.
    """
    approved = AuditEntry.kind == EntryKind.APPROVED
    return session.scalar(select(AuditEntry.seq).where(approved).limit(1)) is not None


def announcements(
    session: Session, use: str, after: int = 0, until: int | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """Return the entries after number `after` that announce another key for `use`, in order."""
    last = _LAST_SEQ if until is None else until
    return driver_connection(session).execute(_ANNOUNCEMENTS, (use, after, last)).fetchall()


def announced_key(session: Session, use: str) -> str | None:
    """Return the key announced last for `use` (hex), or `None`."""
    found = announcements(session, use)
    return str(found[-1][1].get("public")) if found else None


def verify_all(session: Session) -> ChainVerdict:
    """Verify the whole chain and compare its end with the head that the writers keep."""
    end = head(session)
    return verify(stored_entries(session), size=end.size, head=end.head)


def count_entries(session: Session) -> int:
    """Return the number of entries."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def snapshot_size(session: Session) -> int:
    """Return the length of the audit log in this snapshot."""
    return session.scalar(select(func.coalesce(func.max(ChainHead.size), 0))) or 0
