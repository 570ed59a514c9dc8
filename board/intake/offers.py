"""Offer an issue, and open it from the matched line and the conversation around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic.dataclasses import dataclass as pydantic_dataclass
from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.accounts import messenger_links
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Comment
from guardia.board.intake.context_rules import IssueOffer, applied_chart
from guardia.board.intake.model import ChatMessage
from guardia.board.issues import receiving
from guardia.board.issues.conversation import ConversationReply, Press, PressReply
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t, t_default
from guardia.org.chat_rules import ChatRule
from guardia.settings import Settings
from guardia.text import CleanStr

ACT = "offer"
"""Act of the button under an offer; its value is the number of the line."""
_CONTEXT_LINES = 12
_CONTEXT_PERIOD = timedelta(hours=1)
"""Part of the conversation that goes with an issue: number of lines, and age before the line."""
_MAX_LINE_LENGTH = 300
_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_\[\]<>&~])")


class AcceptanceOutcome(StrEnum):
    """Outcome of accepting an offer."""

    OPENED = "opened"
    ALREADY = "already"
    """The issue has been opened before."""
    WITHDRAWN = "withdrawn"
    """The running chart no longer has the rule."""
    UNKNOWN = "unknown"
    """There is no such line."""


@pydantic_dataclass(frozen=True, slots=True)
class OfferAcceptance:
    """A person who accepts an offer, as the channel names them."""

    channel: str
    message_id: int
    account: CleanStr
    sender: CleanStr


@dataclass(frozen=True, slots=True)
class AcceptanceResult:
    """Outcome of an acceptance, and the number of the issue if there is one."""

    outcome: AcceptanceOutcome
    sr_id: int | None = None


@repeat_on_conflict
def accept(board: BoardContext, acceptance: OfferAcceptance) -> AcceptanceResult:
    """Open the offered issue; of several concurrent acceptances, one opens it."""
    chart, now = applied_chart(board), board.clock()
    with board.database.transaction() as session:
        line = session.get(ChatMessage, acceptance.message_id, with_for_update=True)
        if line is None or line.channel != acceptance.channel:
            return AcceptanceResult(AcceptanceOutcome.UNKNOWN)
        if line.sr_id is not None:
            return AcceptanceResult(AcceptanceOutcome.ALREADY, line.sr_id)
        rule = chart.talk.rule(line.rule) if chart else None
        if chart is None or rule is None:
            return AcceptanceResult(AcceptanceOutcome.WITHDRAWN)
        recent_lines = _recent_lines(session, line)
        line.sr_id = receiving.receive_within(
            session, _issue_request(acceptance, line, rule, recent_lines), now
        )
        formatted = [_format_line(one, chart.company.zone) for one in recent_lines]
        session.add(_context_comment(line.sr_id, acceptance, rule, formatted, now))
        return AcceptanceResult(AcceptanceOutcome.OPENED, line.sr_id)


def offer_reply(offer: IssueOffer) -> ConversationReply:
    """Return the message that offers an issue; it repeats no part of the line."""
    button = Choice(ACT, str(offer.message_id), t("intake.offer.button"), ChoiceStyle.PRIMARY)
    return ConversationReply(t("intake.offer.text", title=offer.title), (button,))


def press_offer(board: BoardContext, _settings: Settings, press: Press) -> PressReply:
    """Open the issue that a button offered."""
    acceptance = OfferAcceptance(press.channel, int(press.value), press.account, press.sender)
    result = accept(board, acceptance)
    reply = t(f"intake.offer.{result.outcome}", sr=result.sr_id or "-")
    if result.outcome is AcceptanceOutcome.OPENED:
        return PressReply(reply, replaces=True)
    if result.outcome is AcceptanceOutcome.UNKNOWN:
        return PressReply(reply, replaces=False)
    if result.outcome is AcceptanceOutcome.ALREADY:
        opened = t("intake.offer.opened", sr=result.sr_id or "-")
        return PressReply(opened, replaces=True, notice=reply)
    return PressReply(reply, replaces=True, notice=reply)


def _issue_request(
    acceptance: OfferAcceptance,
    line: ChatMessage,
    rule: ChatRule,
    recent_lines: Sequence[ChatMessage],
) -> receiving.NewIssue:
    """Return the line as a request of the person who accepted the offer."""
    return receiving.NewIssue(
        text=line.text,
        title=f"{rule.title}: {line.text.strip()}".splitlines()[0],
        channel=line.channel,
        room=line.room,
        sender=acceptance.sender,
        account=acceptance.account,
        institution=rule.institution,
        category=rule.skill,
        priority=rule.priority,
        talk=tuple(_one_line(one.text) for one in recent_lines),
        origin={
            "rule": rule.id,
            "message": line.message_id,
            "talk": [{"sender": one.sender, "text": _one_line(one.text)} for one in recent_lines],
        },
    )


def _recent_lines(session: Session, line: ChatMessage) -> list[ChatMessage]:
    """Return the last lines of the room, without those that linked an account."""
    rows = session.scalars(
        select(ChatMessage)
        .where(
            ChatMessage.room == line.room,
            ChatMessage.created_at >= line.created_at - _CONTEXT_PERIOD,
            ChatMessage.channel == line.channel,
            ChatMessage.rule.is_distinct_from(messenger_links.LINK_RULE),
        )
        .order_by(ChatMessage.created_at.desc(), ChatMessage.message_id.desc())
        .limit(_CONTEXT_LINES)
    )
    return list(reversed(rows.all()))


def _format_line(line: ChatMessage, zone: ZoneInfo) -> str:
    return f"{line.created_at.astimezone(zone):%H:%M} {line.sender}: {_one_line(line.text)}"


def _context_comment(
    sr_id: int, acceptance: OfferAcceptance, rule: ChatRule, formatted: Sequence[str], now: datetime
) -> Comment:
    """Return the conversation as a comment for the assignee; it wakes no mentioned agents."""
    quoted = "\n".join(f"> {_escape_markdown(one)}" for one in formatted)
    who, title = _escape_markdown(acceptance.sender), _escape_markdown(rule.title)
    body = t_default("board.talk.context", who=who or "-", title=title, rule=rule.id)
    author = Actor.channel(acceptance.channel)
    return Comment(sr_id=sr_id, author=str(author), body=f"{body}\n\n{quoted}", created_at=now)


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _MAX_LINE_LENGTH else f"{flat[:_MAX_LINE_LENGTH]}…"


def _escape_markdown(text: str) -> str:
    """Return text on one line that Markdown shows unchanged."""
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", " ".join(text.split()))
