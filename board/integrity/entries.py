"""Read the audit log as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext


@dataclass(frozen=True, slots=True)
class LoggedAct:
    """An entry of the audit log as people read it."""

    seq: int
    created_at: datetime
    actor: str
    kind: str
    sentence: str


def size(board: BoardContext) -> int:
    """Return the number of entries."""
    with board.database.reading() as session:
        return log.head(session).size


def after(
    board: BoardContext, seq: int, *, sr_id: int | None = None, actor: Actor | None = None
) -> Sequence[LoggedAct]:
    """Return the entries after number `seq`, in order, of one issue or of one actor."""
    query = select(
        AuditEntry.seq,
        AuditEntry.created_at,
        AuditEntry.actor,
        AuditEntry.kind,
        AuditEntry.log_content,
    ).where(AuditEntry.seq > seq)
    if sr_id is not None:
        query = query.where(AuditEntry.sr_id == sr_id)
    if actor is not None:
        query = query.where(AuditEntry.actor == str(actor))
    with board.database.reading() as session:
        return [LoggedAct(*row) for row in session.execute(query.order_by(AuditEntry.seq))]
