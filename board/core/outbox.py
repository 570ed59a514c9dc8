"""Messages, alerts and checkpoint jobs queued in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from guardia.board.core.choices import Choice, to_stored
from guardia.board.core.model import Issue, OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.notices import Notice
from guardia.db import jobs

ONE_TO_ONE = frozenset({"mail"})
"""Channels whose rooms only the requester reads."""
_OUTBOX: Any = OutboxEntry.__table__
_ADD = insert(_OUTBOX).returning(_OUTBOX.c.outbox_id)


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a message: its channel, the thread in the room, and what else addresses it."""

    channel: str = ""
    """Empty: the channel of its issue."""
    thread: str = ""
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
    choices: tuple[Choice, ...] = (),
    route: Route = _BY_ISSUE,
    notice: NoticeKind = NoticeKind.ALERT,
) -> int:
    """Queue a message to a room, an alert or a notice; returns its number.

    It leaves by the route, or without one through the channel of its issue, with buttons where the
    channel has them. `notice` decides who receives an alert, see `board.notifications`.
    """
    session.flush()  # the row may refer to what is still pending
    row: dict[str, Any] = {"kind": kind, "room": room, "thread": route.thread, "sr_id": sr_id}
    row |= {"channel": route.channel, "target": dict(route.target)}
    row |= {"text": text, "choices": to_stored(choices), "created_at": now}
    row |= {"notice": notice.value if kind != "message" else ""}
    outbox_id = session.scalar(_ADD, row)
    jobs.defer(session, "deliver", outbox_id=outbox_id)
    return int(outbox_id or 0)


def schedule_checkpoint(session: Session) -> None:
    """Have a worker sign the audit log after this transaction commits.

    For directives that stop work: they take effect even if signing fails, and the checkpoint
    after them covers all earlier entries. A failure to sign raises its own alert.
    """
    jobs.defer(session, "seal", lock="seal")


def reply_to_room(
    session: Session,
    issue: Issue,
    text: str,
    now: datetime,
    *,
    choices: tuple[Choice, ...] = (),
    notice: NoticeKind = NoticeKind.PROGRESS,
    public: str | None = None,
) -> None:
    """Reply in the conversation that an issue came from, if it came from one.

    The requester also finds it among their notices. `public` replaces a text that is meant for
    staff where only the requester reads it; empty: the requester learns nothing of it.
    """
    own = text if public is None else public
    told = own if issue.channel in ONE_TO_ONE else text
    if issue.room and told:
        room, sr_id, route = issue.room, issue.sr_id, Route(thread=issue.thread)
        send(session, "message", told, now, room=room, sr_id=sr_id, choices=choices, route=route)
    if issue.requester_id and own:
        people, in_room = [issue.requester_id], bool(issue.room)
        notify(session, notice, own, people, now, sr_id=issue.sr_id, in_room=in_room)


def notify(
    session: Session,
    kind: NoticeKind,
    text: str,
    people: Iterable[str],
    now: datetime,
    *,
    sr_id: int | None,
    choices: tuple[Choice, ...] = (),
    **more: Any,
) -> None:
    """Notify people of something, by the media that they want: see `board.notifications`."""
    named = list(dict.fromkeys(people))
    if not named:
        return
    outbox_id = send(session, "notice", text, now, sr_id=sr_id, choices=choices, notice=kind)
    row: dict[str, Any] = {"kind": kind.value, "sr_id": sr_id, "text": text, **more}
    row |= {"outbox_id": outbox_id, "created_at": now}
    session.add_all(Notice(person_id=person, **row) for person in named)
    session.flush()
