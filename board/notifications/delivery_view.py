"""The log of deliveries: what was sent to whom, how often it was tried, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, or_, select

from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry
from guardia.i18n import t

SIZE = 30
DeliveryState = Literal["delivered", "waiting", "failed"]
STATES: tuple[DeliveryState, ...] = ("delivered", "waiting", "failed")


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message of the outbox."""

    outbox_id: int
    kind: str
    notice: str
    medium: str
    person: str
    room: str
    sr_id: int | None
    text: str
    created_at: datetime
    delivered_at: datetime | None
    attempts: int
    error: str
    state: DeliveryState

    @property
    def place(self) -> str:
        """Where it goes, as people read it: a phone number is not shown in full."""
        if self.medium == "sms" and len(self.room) > _SHOWN_DIGITS:
            return f"…{self.room[-_SHOWN_DIGITS:]}"
        return self.room or t(f"notices.to.{self.kind}")


_SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of the log, newest first."""

    rows: tuple[DeliveryRow, ...]
    older: int | None


def deliveries(
    board: BoardContext, *, state: str = "", before: int | None = None, size: int = SIZE
) -> DeliveryPage:
    """Return messages with a recipient; `state` selects those in one state."""
    o = OutboxEntry
    found_state = case(
        (o.delivered_at.is_not(None), "delivered"),
        (o.last_error.is_not(None), "failed"),
        else_="waiting",
    )
    query = select(o, found_state).order_by(o.outbox_id.desc()).limit(size + 1)
    query = query.where(or_(o.kind != "notice", o.medium != ""))
    if state in STATES:
        query = query.where(found_state == state)
    if before is not None:
        query = query.where(o.outbox_id < before)
    with board.database.reading() as session:
        rows = [_row(entry, known) for entry, known in session.execute(query)]
    return DeliveryPage(tuple(rows[:size]), rows[size - 1].outbox_id if len(rows) > size else None)


def _row(entry: OutboxEntry, state: DeliveryState) -> DeliveryRow:
    return DeliveryRow(
        entry.outbox_id,
        entry.kind,
        entry.notice,
        entry.medium,
        entry.person_id or "",
        entry.room,
        entry.sr_id,
        entry.text,
        entry.created_at,
        entry.delivered_at,
        entry.attempts,
        entry.last_error or "",
        state,
    )
