"""Messages that must leave: which wait, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update

from guardia.board.core.context import Desk
from guardia.board.core.model import OutboxEntry


@dataclass(frozen=True, slots=True)
class Message:
    """One message or alert."""

    kind: str
    room: str
    text: str
    sr_id: int | None


def undelivered(desk: Desk, outbox_id: int) -> Message | None:
    """The message, unless it has left already."""
    with desk.database.reading() as session:
        row = session.get(OutboxEntry, outbox_id)
        if row is None or row.delivered_at is not None:
            return None
        return Message(row.kind, row.room, row.text, row.sr_id)


def mark_delivered(desk: Desk, outbox_id: int) -> None:
    """It has left."""
    _update_row(desk, outbox_id, delivered_at=desk.clock(), last_error=None)


def mark_failed(desk: Desk, outbox_id: int, why: str) -> None:
    """It has not; the queue tries again."""
    _update_row(desk, outbox_id, last_error=why)


def _update_row(desk: Desk, outbox_id: int, **values: object) -> None:
    with desk.database.transaction() as session:
        session.execute(
            update(OutboxEntry)
            .where(OutboxEntry.outbox_id == outbox_id)
            .values(attempts=OutboxEntry.attempts + 1, **values)
        )
