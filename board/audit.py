"""The record in the database: appending links, and verifying the whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from guardia.board.chain import Link, Verdict, clean, verify
from guardia.board.model import AuditEntry, ChainHead
from guardia.db import events
from guardia.i18n import t_record

_CHAIN = "main"
_TICK = timedelta(microseconds=1)
_BATCH = 2000


def append(
    session: Session,
    kind: str,
    *,
    actor: str,
    now: datetime,
    sr_id: int | None = None,
    task_id: int | None = None,
    detail: dict[str, Any] | None = None,
    **words: str | int,
) -> Link:
    """Add a link in the caller's transaction and announce it to listeners.

    The sentence is ``audit.<kind>`` of the catalogue, filled with ``words``. Appends are in
    order because each locks the chain's head until its transaction ends: so call this last.
    """
    head = session.execute(
        text("select size, head, last_at from tb_audit_head where chain = :chain for update"),
        {"chain": _CHAIN},
    ).one()
    # Clocks step back and hosts disagree; along the chain time only goes forward.
    moment = max(now, head.last_at + _TICK)
    unsigned = Link(
        seq=head.size + 1,
        created_at=moment,
        actor=clean(actor),
        kind=kind,
        sr_id=sr_id,
        task_id=task_id,
        log_content=clean(t_record(f"audit.{kind}", **words)),
        detail=clean(detail or {}),
        previous_hash=head.head,
    )
    fields = {name: getattr(unsigned, name) for name in unsigned.__slots__}
    link = Link(**{**fields, "current_hash": unsigned.hash()})
    session.execute(insert(AuditEntry).values(**{n: getattr(link, n) for n in link.__slots__}))
    session.execute(
        text("update tb_audit_head set size = :size, head = :head, last_at = :at where chain = :c"),
        {"size": link.seq, "head": link.current_hash, "at": link.created_at, "c": _CHAIN},
    )
    events.announce(session, seq=link.seq, kind=kind, sr_id=sr_id, task_id=task_id)
    return link


def links(session: Session, after: int = 0) -> Iterator[Link]:
    """All links after number ``after``, read in batches."""
    while True:
        rows = session.execute(
            select(*AuditEntry.__table__.columns)
            .where(AuditEntry.seq > after)
            .order_by(AuditEntry.seq)
            .limit(_BATCH)
        ).all()
        if not rows:
            return
        for row in rows:
            yield Link(**row._mapping)
        after = rows[-1].seq


def verify_all(session: Session) -> Verdict:
    """Walk the whole chain and compare its end with the head that the writers keep."""
    head = session.scalars(select(ChainHead).where(ChainHead.chain == _CHAIN)).one()
    return verify(links(session), size=head.size, head=head.head)


def size(session: Session) -> int:
    """How many links there are."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0
