"""Messages that must leave: which wait, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update

from guardia.board.core.context import Desk
from guardia.board.core.model import Outgoing


@dataclass(frozen=True, slots=True)
class Message:
    """One message or alert."""

    kind: str
    room: str
    text: str
    sr_id: int | None


def waiting(desk: Desk, outbox_id: int) -> Message | None:
    """The message, unless it has left already."""
    with desk.database.reading() as session:
        row = session.get(Outgoing, outbox_id)
        if row is None or row.delivered_at is not None:
            return None
        return Message(row.kind, row.room, row.text, row.sr_id)


def delivered(desk: Desk, outbox_id: int) -> None:
    """It has left."""
    _mark(desk, outbox_id, delivered_at=desk.clock(), last_error=None)


def failed(desk: Desk, outbox_id: int, why: str) -> None:
    """It has not; the queue tries again."""
    _mark(desk, outbox_id, last_error=why)


def _mark(desk: Desk, outbox_id: int, **values: object) -> None:
    with desk.database.transaction() as session:
        session.execute(
            update(Outgoing)
            .where(Outgoing.outbox_id == outbox_id)
            .values(attempts=Outgoing.attempts + 1, **values)
        )
