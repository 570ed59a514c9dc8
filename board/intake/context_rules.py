"""Log lines of messenger rooms and offer an issue if a rule of the chart matches.

`offers` handles the acceptance of such an offer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, or_, select
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
from guardia.org.chat_rules import RESERVED_RULE_IDS, ChatRule, ChatRules, TalkLine
from guardia.org.model import Server
from guardia.text import MAX_BODY, fold, hide_lookalikes

_MAX_TALK = 300
_MAX_NAMES = 20
_SERVER_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)+")
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
    now = board.clock()
    with board.database.transaction() as session:
        rule = talk.firing_rule(line.room, _conversation(session, talk, line, now))
        server = named_server(session, line.text) if rule else ""
        if rule is not None and _is_cooling_down(session, rule, server, line, now):
            rule = None
        known = chat_log.log_line(session, line, rule.id if rule else None, now)
        if known is None:
            return _repeated_delivery(session, talk, line)
        if rule is None:
            return LineResult()
        row = session.get_one(ChatMessage, known)
        row.cause, row.server_id = rule.cause_key, server
        _log_offer(session, rule, line, known, now)
        return LineResult(offer=IssueOffer(known, rule.title))


def _conversation(
    session: Session, talk: ChatRules, line: receiving.NewIssue, now: datetime
) -> list[TalkLine]:
    """Return the recent lines of a room as far as its rules look back, the new one last."""
    newest = TalkLine(line.account or line.sender, line.text, now)
    reach = talk.reach(line.room)
    if not reach:
        return [newest]
    # Two lines at the same moment must see each other.
    _lock(session, f"talk-window|{line.channel}|{line.room}")
    rows = session.scalars(
        select(ChatMessage)
        .where(
            ChatMessage.room == line.room,
            ChatMessage.created_at > now - reach,
            ChatMessage.channel == line.channel,
            ChatMessage.external_id != (line.external_id or ""),
            or_(ChatMessage.rule.is_(None), ChatMessage.rule.not_in(RESERVED_RULE_IDS)),
        )
        .order_by(ChatMessage.created_at.desc(), ChatMessage.message_id.desc())
        .limit(_MAX_TALK)
    )
    earlier = [TalkLine(r.account or r.sender, r.text, r.created_at) for r in rows]
    return [*reversed(earlier), newest]


def named_server(session: Session, text: str) -> str:
    """Return the first server whose id a line contains; empty if none."""
    read = fold(hide_lookalikes(text[:MAX_BODY]))
    names = [n.upper() for n in _SERVER_NAME.findall(read)][:_MAX_NAMES]
    if not names:
        return ""
    known = set(
        session.scalars(select(Server.server_id).where(func.upper(Server.server_id).in_(names)))
    )
    by_name = {server.upper(): server for server in known}
    return next((by_name[n] for n in names if n in by_name), "")


def _lock(session: Session, key: str) -> None:
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


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
    session: Session, rule: ChatRule, server: str, line: receiving.NewIssue, now: datetime
) -> bool:
    """Return whether the cause was offered recently: in this room, or elsewhere for this server.

    Serializes concurrent callers.
    """
    _lock(session, f"talk|{line.channel}|{rule.cause_key}")
    here = ChatMessage.room == line.room
    if server:
        here = and_(here, ChatMessage.server_id.in_(("", server)))
    same = or_(here, ChatMessage.server_id == server) if server else here
    earlier = (
        select(ChatMessage.message_id)
        .where(
            ChatMessage.channel == line.channel,
            ChatMessage.cause == rule.cause_key,
            ChatMessage.created_at > now - rule.cooldown,
            same,
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
