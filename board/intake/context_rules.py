"""Log lines of messenger rooms and offer an issue if a rule of the chart matches.

`offers` handles the acceptance of such an offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.intake import chat_log, limits
from guardia.board.intake.model import ChatMessage
from guardia.board.issues import receiving
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Misconfigured
from guardia.org import revisions
from guardia.org.chart_model import OrgChart
from guardia.org.chat_rules import RESERVED_RULE_IDS, ChatRule, ChatRules

_DEFAULT_BOUNDS = limits.IntakeBounds()
REQUEST_RULE = "webhook"
"""Rule name under which the log stores a line that is a request."""


@dataclass(frozen=True, slots=True)
class IssueOffer:
    """A rule matched a line that has no issue yet."""

    message_id: int
    title: str
    """Subject of the rule."""


@dataclass(frozen=True, slots=True)
class LineResult:
    """Outcome of a line: an issue, an offer, a refused request, or nothing."""

    sr_id: int | None = None
    offer: IssueOffer | None = None
    limit: limits.Verdict | None = None
    """Of a request that was refused, or that is the first one received after a flood."""


@repeat_on_conflict
def handle_line(
    board: BoardContext,
    line: receiving.NewIssue,
    *,
    addressed: bool = False,
    bounds: limits.IntakeBounds = _DEFAULT_BOUNDS,
) -> LineResult:
    """Log a line of a room, and open an issue or offer one.

    The line is a request, and opens an issue, if the room is not a chat room or the line
    addresses GUARDiA (`addressed`, or it begins with one of its names).
    """
    chart = applied_chart(board)
    talk = chart.talk if chart else ChatRules()
    if addressed or not talk.is_chat_room(line.room) or talk.is_addressed(line.text):
        return _receive_request(board, line, bounds)
    rule, now = talk.matching_rule(line.room, line.text), board.clock()
    with board.database.transaction() as session:
        if rule is not None and _is_cooling_down(session, rule, line, now):
            rule = None
        known = chat_log.log_line(session, line, rule.id if rule else None, now)
        if known is None:
            return _repeated_delivery(session, talk, line)
        if rule is None:
            return LineResult()
        _log_offer(session, rule, line, known, now)
        return LineResult(offer=IssueOffer(known, rule.title))


def _receive_request(
    board: BoardContext, line: receiving.NewIssue, bounds: limits.IntakeBounds
) -> LineResult:
    verdict = limits.count_request(board, line, bounds)
    if verdict and not verdict.accepted:
        return LineResult(limit=verdict)
    return LineResult(chat_log.receive_line(board, line, rule=REQUEST_RULE), limit=verdict)


@repeat_on_conflict
def delete_old_lines(board: BoardContext) -> int:
    """Delete chat lines without an issue after the chart's retention period.

    Requests, stop commands and lines that linked an account stay; so does the audit log.
    """
    chart = applied_chart(board)
    before = board.clock() - (chart.talk if chart else ChatRules()).keep
    talk = or_(ChatMessage.rule.is_(None), ChatMessage.rule.not_in(RESERVED_RULE_IDS))
    old = delete(ChatMessage).where(
        ChatMessage.sr_id.is_(None), ChatMessage.created_at < before, talk
    )
    with board.database.transaction() as session:
        return len(session.scalars(old.returning(ChatMessage.message_id)).all())


def applied_chart(board: BoardContext) -> OrgChart | None:
    """Return the running chart, or `None` if there is none and every line is a request."""
    with board.database.reading() as session:
        try:
            return revisions.running_chart(session)
        except Misconfigured:
            return None


def _is_cooling_down(
    session: Session, rule: ChatRule, line: receiving.NewIssue, now: datetime
) -> bool:
    """Return whether a rule made an offer in this room recently; serializes concurrent callers."""
    key = f"talk|{line.channel}|{rule.id}|{line.room}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    earlier = (
        select(ChatMessage.message_id)
        .where(
            ChatMessage.room == line.room,
            ChatMessage.created_at > now - rule.cooldown,
            ChatMessage.channel == line.channel,
            ChatMessage.rule == rule.id,
        )
        .limit(1)
    )
    return session.scalar(earlier) is not None


def _repeated_delivery(session: Session, talk: ChatRules, line: receiving.NewIssue) -> LineResult:
    """Return the offer made to the first delivery, if it is still open."""
    row = chat_log.find_line(session, line)
    rule = talk.rule(row.rule) if row is not None and row.sr_id is None else None
    return LineResult(offer=IssueOffer(row.message_id, rule.title) if row and rule else None)


def _log_offer(
    session: Session, rule: ChatRule, line: receiving.NewIssue, message_id: int, now: datetime
) -> None:
    log.append(
        session,
        EntryKind.OFFERED,
        actor=str(Actor.channel(line.channel)),
        now=now,
        detail={"rule": rule.id, "message": message_id, "room": line.room},
        title=rule.title,
        room=line.room,
    )
