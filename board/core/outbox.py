"""Messages, alerts and checkpoint jobs queued in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime
from sqlalchemy.orm import Session

from guardia.board.core.choices import Choice, to_stored
from guardia.board.core.model import Issue
from guardia.board.core.notice_kinds import NoticeKind
from guardia.db import jobs
from guardia.db.columns import CleanJsonb, CleanText
from guardia.db.statement import Statement

ONE_TO_ONE = frozenset({"mail"})
"""Channels whose rooms only the requester reads."""
_STORED = """
    with stored as (
        insert into tb_outbox (kind, room, thread, sr_id, channel, target, text, choices,
            created_at, notice)
        values (:kind, :room, :thread, :sr_id, :channel, :target, :text, :choices, :now, :notice)
        returning outbox_id)
"""
_NOTICED = """
    , noticed as (
        insert into tb_notice (person_id, kind, sr_id, text, approval_id, principal_id, in_room,
            outbox_id, created_at)
        select person, :notice, :sr_id, :text, :approval_id, :principal_id, :in_room, outbox_id,
            :now
        from stored, unnest(:people) with ordinality as p (person, number) order by number)
"""
_DELIVER = jobs.deferring("'deliver'", "null", "jsonb_build_object('outbox_id', outbox_id)")
_QUEUE = f"select outbox_id, {_DELIVER} from stored"
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("kind", "room", "thread", "channel", "text", "notice"), CleanText()),
    **dict.fromkeys(("target", "choices"), CleanJsonb()),
    "sr_id": BigInteger(),
    "now": DateTime(timezone=True),
}
# One statement each: a move sends several messages, and every round trip costs.
_SEND = Statement.of(f"{_STORED} {_QUEUE}", **_TYPES)
_NOTIFY = Statement.of(
    f"{_STORED} {_NOTICED} {_QUEUE}",
    **_TYPES,
    people=ARRAY(CleanText()),
    approval_id=BigInteger(),
    principal_id=CleanText(),
    in_room=Boolean(),
)


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
    row: dict[str, Any] = {"kind": kind, "room": room, "text": text, "sr_id": sr_id, "now": now}
    row |= {"notice": notice.value if kind != "message" else "", **_values(choices, route)}
    return int(_SEND.first(session, row))


def _values(choices: tuple[Choice, ...], route: Route) -> dict[str, Any]:
    address = {"channel": route.channel, "thread": route.thread, "target": dict(route.target)}
    return {"choices": to_stored(choices), **address}


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
    """Notify people of something, by the media that they want: see `board.notifications`.

    `more` are further values of the notice: `approval_id`, `principal_id`, `in_room`.
    """
    named = list(dict.fromkeys(people))
    if not named:
        return
    row: dict[str, Any] = {"kind": "notice", "room": "", "text": text, "sr_id": sr_id, "now": now}
    row |= {"notice": kind.value, "people": named, "approval_id": None, "principal_id": None}
    row |= {"in_room": False, **_values(choices, _BY_ISSUE), **more}
    _NOTIFY.run(session, row)
