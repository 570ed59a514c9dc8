"""Messages of the outbox: pending delivery and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from guardia.board.core.choices import Choice, from_stored
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, OutboxEntry
from guardia.db.engine import repeat_on_conflict


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A reply to a room (`message`), an `alert`, or a copy of a `notice` for one person."""

    kind: str
    room: str
    text: str
    sr_id: int | None
    channel: str
    """The channel that sends it, or that of its issue; empty without either."""
    thread: str = ""
    choices: tuple[Choice, ...] = ()
    target: Mapping[str, Any] = field(default_factory=dict)
    """What else the channel needs to address it, see `OutboxEntry`."""
    medium: str = ""
    """How it reaches a person: `sms`, `mail` or a channel; `room` is then their address."""
    person: str = ""
    notice: str = ""
    """Kind of an alert or notice."""
    outbox_id: int = 0
    title: str = ""
    """The title of its issue."""


def undelivered(board: BoardContext, outbox_id: int) -> OutboundMessage | None:
    """Return a message that has not been delivered yet, or `None`."""
    query = (
        select(OutboxEntry, Issue.channel, Issue.title)
        .outerjoin(Issue, Issue.sr_id == OutboxEntry.sr_id)
        .where(OutboxEntry.outbox_id == outbox_id, OutboxEntry.delivered_at.is_(None))
    )
    with board.database.reading() as session:
        found = session.execute(query).one_or_none()
        if found is None:
            return None
        row, channel, title = found
        return OutboundMessage(
            row.kind,
            row.room,
            row.text,
            row.sr_id,
            row.channel or channel or "",
            row.thread,
            from_stored(row.choices),
            row.target,
            row.medium,
            row.person_id or "",
            row.notice,
            row.outbox_id,
            title or "",
        )


def mark_delivered(board: BoardContext, outbox_id: int) -> None:
    """Record that a message was sent."""
    _update_row(board, outbox_id, delivered_at=board.clock(), last_error=None)


def mark_failed(board: BoardContext, outbox_id: int, why: str) -> None:
    """Record why sending failed; the queue retries."""
    _update_row(board, outbox_id, last_error=why)


@repeat_on_conflict
def _update_row(board: BoardContext, outbox_id: int, **values: object) -> None:
    with board.database.transaction() as session:
        session.execute(
            update(OutboxEntry)
            .where(OutboxEntry.outbox_id == outbox_id)
            .values(attempts=OutboxEntry.attempts + 1, **values)
        )
