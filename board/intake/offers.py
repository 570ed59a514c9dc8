"""Taking what GUARDiA has offered in a room: an issue with the line that was found, and the talk
around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.accounts import messenger_links
from guardia.board.audit.chain import clean
from guardia.board.core.context import Desk
from guardia.board.core.model import Comment
from guardia.board.intake.context_rules import running
from guardia.board.intake.model import ChatMessage
from guardia.board.issues import receiving
from guardia.i18n import t_record
from guardia.org.chat_rules import TalkRule

_LINES = 12
_WITHIN = timedelta(hours=1)
"""How much of the talk goes with an issue: so many lines, from so long before that line on."""
_LONGEST = 300
_SIGNS = re.compile(r"([\\`*_\[\]<>&~])")


class Outcome(StrEnum):
    """What came of taking an offer."""

    OPENED = "opened"
    ALREADY = "already"
    """Somebody has opened the issue before."""
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The running chart has not got the rule any more."""
    UNKNOWN = "unknown"
    """No such line."""


@dataclass(frozen=True, slots=True)
class Taking:
    """A person who takes an offer, as the channel says."""

    channel: str
    message_id: int
    expires_at: datetime
    account: str
    sender: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of it; ``sr_id`` where there is an issue."""

    outcome: Outcome
    sr_id: int | None = None


def take(desk: Desk, taking: Taking) -> Taken:
    """Open the issue that was offered; of several who do so at once, one opens it."""
    chart, now = running(desk), desk.clock()
    with desk.database.transaction() as session:
        line = session.get(ChatMessage, taking.message_id, with_for_update=True)
        if line is None or line.channel != taking.channel:
            return Taken(Outcome.UNKNOWN)
        if line.sr_id is not None:
            return Taken(Outcome.ALREADY, line.sr_id)
        if taking.expires_at <= now:
            return Taken(Outcome.EXPIRED)
        rule = chart.talk.rule(line.rule) if chart else None
        if chart is None or rule is None:
            return Taken(Outcome.WITHDRAWN)
        said = _said(session, line)
        line.sr_id = receiving.received(session, _wish(taking, line, rule, said), now)
        told = [_told(one, chart.company.zone) for one in said]
        session.add(_context(line.sr_id, taking, rule, told, now))
        return Taken(Outcome.OPENED, line.sr_id)


def _wish(
    taking: Taking, line: ChatMessage, rule: TalkRule, said: Sequence[ChatMessage]
) -> receiving.Request:
    """The line as a request of whoever takes the offer."""
    return receiving.Request(
        text=line.text,
        title=f"{rule.title}: {line.text.strip()}".splitlines()[0],
        channel=line.channel,
        room=line.room,
        sender=taking.sender,
        account=taking.account,
        institution=rule.institution,
        category=rule.skill,
        priority=rule.priority,
        talk=tuple(_flat(one.text) for one in said),
        origin={
            "rule": rule.id,
            "message": line.message_id,
            "talk": [{"sender": one.sender, "text": _flat(one.text)} for one in said],
        },
    )


def _said(session: Session, line: ChatMessage) -> list[ChatMessage]:
    """The last lines of the room; what proved an account is not among them."""
    rows = session.scalars(
        select(ChatMessage)
        .where(
            ChatMessage.room == line.room,
            ChatMessage.created_at >= line.created_at - _WITHIN,
            ChatMessage.channel == line.channel,
            ChatMessage.rule.is_distinct_from(messenger_links.RULE),
        )
        .order_by(ChatMessage.created_at.desc(), ChatMessage.message_id.desc())
        .limit(_LINES)
    )
    return list(reversed(rows.all()))


def _told(line: ChatMessage, zone: ZoneInfo) -> str:
    return f"{line.created_at.astimezone(zone):%H:%M} {line.sender}: {_flat(line.text)}"


def _context(
    sr_id: int, taking: Taking, rule: TalkRule, told: Sequence[str], now: datetime
) -> Comment:
    """What was said, for the staff that reads the issue; agents named in it are not called."""
    quoted = "\n".join(f"> {_literal(one)}" for one in told)
    who, title = _literal(clean(taking.sender)), _literal(rule.title)
    body = t_record("desk.talk.context", who=who or "-", title=title, rule=rule.id)
    author = f"channel:{taking.channel}"
    return Comment(sr_id=sr_id, author=author, body=f"{body}\n\n{quoted}", created_at=now)


def _flat(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST]}…"


def _literal(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))
