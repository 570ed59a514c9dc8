"""TODO."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.intake.model import ChatMessage
from guardia.board.issues.receiving import NewIssue, receive_within
from guardia.text import MAX_BODY


def receive_line(board: BoardContext, request: NewIssue, *, rule: str | None = None) -> int | None:
    """Log a line of a messenger room; opens an issue when ``rule`` fired. Repeats are dropped."""
    now = board.clock()
    with board.database.transaction() as session:
        known = log_line(session, request, rule, now)
        line = find_line(session, request) if known is None else session.get(ChatMessage, known)
        if rule is not None and line is not None and line.sr_id is None:
            # Also where it came as mere talk before: one post may reach us by two webhooks.
            line.sr_id, line.rule = receive_within(session, request, now), rule
        return line.sr_id if line is not None else None


def find_line(session: Session, request: NewIssue) -> ChatMessage | None:
    """The line that an earlier delivery has left, locked."""
    return session.scalar(
        select(ChatMessage)
        .where(
            ChatMessage.channel == request.channel, ChatMessage.external_id == request.external_id
        )
        .with_for_update()
    )


def log_line(
    session: Session, request: NewIssue, rule: str | None, now: datetime, *, text: str | None = None
) -> int | None:
    """Keep a line of a room; ``None`` where it has been delivered before.

    ``text`` is kept instead where what was said is not for everyone's eyes.
    """
    return session.scalar(
        insert(ChatMessage)
        .values(
            channel=request.channel,
            external_id=request.external_id,
            room=request.room,
            sender=request.sender,
            account=request.account,
            text=(request.text if text is None else text)[:MAX_BODY],
            rule=rule,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ChatMessage.message_id)
    )
