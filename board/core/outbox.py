"""Messages, alerts and checkpoint jobs queued in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from guardia.board.core.choices import Choice, to_stored
from guardia.board.core.model import Issue, OutboxEntry
from guardia.db import jobs

_OUTBOX: Any = OutboxEntry.__table__
_ADD = insert(_OUTBOX).returning(_OUTBOX.c.outbox_id)


@dataclass(frozen=True, slots=True)
class Route:
    """The channel of a message, and what else it needs to address it, in its own words."""

    channel: str = ""
    target: Mapping[str, Any] = field(default_factory=dict)


_BY_ISSUE = Route()


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
    route: Route = _BY_ISSUE,
) -> None:
    """Queue a message to a room, or an alert, with buttons where the channel has them.

    It leaves by the route, or without one through the channel of its issue.
    """
    session.flush()  # the row may refer to what is still pending
    row: dict[str, Any] = {"kind": kind, "room": room, "thread": thread, "sr_id": sr_id}
    row |= {"channel": route.channel, "target": dict(route.target)}
    row |= {"text": text, "choices": to_stored(choices), "created_at": now}
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
        send(
            session,
            "message",
            text,
            now,
            room=issue.room,
            sr_id=issue.sr_id,
            thread=issue.thread,
            choices=choices,
        )
