"""Messages that must leave: which wait, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update

from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry


@dataclass(frozen=True, slots=True)
class Message:
    """One message or alert."""

    kind: str
    room: str
    text: str
    sr_id: int | None


def undelivered(board: BoardContext, outbox_id: int) -> Message | None:
    """The message, unless it has left already."""
    with board.database.reading() as session:
        row = session.get(OutboxEntry, outbox_id)
        if row is None or row.delivered_at is not None:
            return None
        return Message(row.kind, row.room, row.text, row.sr_id)


def mark_delivered(board: BoardContext, outbox_id: int) -> None:
    """It has left."""
    _update_row(board, outbox_id, delivered_at=board.clock(), last_error=None)


def mark_failed(board: BoardContext, outbox_id: int, why: str) -> None:
    """It has not; the queue tries again."""
    _update_row(board, outbox_id, last_error=why)


def _update_row(board: BoardContext, outbox_id: int, **values: object) -> None:
    with board.database.transaction() as session:
        session.execute(
            update(OutboxEntry)
            .where(OutboxEntry.outbox_id == outbox_id)
            .values(attempts=OutboxEntry.attempts + 1, **values)
        )
