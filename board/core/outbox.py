"""Messages, alerts and checkpoint jobs queued in the transaction of their cause."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from guardia.board.core.choices import Choice, to_stored
from guardia.board.core.model import Issue, OutboxEntry
from guardia.db import jobs

_OUTBOX: Any = OutboxEntry.__table__
_ADD = insert(_OUTBOX).returning(_OUTBOX.c.outbox_id)


def send(
    session: Session,
    kind: str,
    text: str,
    now: datetime,
    *,
    room: str = "",
    sr_id: int | None,
    thread: str = "",
    choices: tuple[Choice, ...] = (),
    channel: str = "",
) -> None:
    """Queue a message to a room, or an alert, with buttons where the channel has them.

    `channel` is for what belongs to no issue, whose channel it is otherwise.
    """
    session.flush()  # the row may refer to what is still pending
    row: dict[str, Any] = {"kind": kind, "room": room, "thread": thread, "sr_id": sr_id}
    row |= {"channel": channel, "text": text, "choices": to_stored(choices), "created_at": now}
    jobs.defer(session, "deliver", outbox_id=session.scalar(_ADD, row))


def schedule_checkpoint(session: Session) -> None:
    """Have a worker sign the audit log after this transaction commits.

    For directives that stop work: they take effect even if signing fails, and the checkpoint
    after them covers all earlier entries. A failure to sign raises its own alert.
    """
    jobs.defer(session, "seal", lock="seal")


def reply_to_room(
    session: Session, issue: Issue, text: str, now: datetime, *, choices: tuple[Choice, ...] = ()
) -> None:
    """Reply in the conversation that an issue came from, if it came from one."""
    if issue.room:
        place = {"room": issue.room, "thread": issue.thread}
        send(session, "message", text, now, **place, sr_id=issue.sr_id, choices=choices)
