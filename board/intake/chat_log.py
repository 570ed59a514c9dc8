"""Log of messenger lines, each stored once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.intake.model import ChatMessage
from guardia.board.issues.receiving import NewIssue, receive_within
from guardia.db.engine import repeat_on_conflict
from guardia.personal_numbers import mask_personal_numbers
from guardia.text import MAX_BODY


@repeat_on_conflict
def receive_line(board: BoardContext, request: NewIssue, *, rule: str | None = None) -> int | None:
    """Log a line of a room and open an issue if `rule` is given; a repeated line is ignored."""
    now = board.clock()
    with board.database.transaction() as session:
        known = log_line(session, request, rule, now)
        line = find_line(session, request) if known is None else session.get(ChatMessage, known)
        if rule is not None and line is not None and line.sr_id is None:
            # Also opens an issue for a line logged without a rule: two webhooks may deliver one
            # post.
            line.sr_id, line.rule = receive_within(session, request, now), rule
        return line.sr_id if line is not None else None


def find_line(session: Session, request: NewIssue) -> ChatMessage | None:
    """Return the line of an earlier delivery, locked, or `None`."""
    return session.scalar(
        select(ChatMessage)
        .where(
            ChatMessage.channel == request.channel, ChatMessage.external_id == request.external_id
        )
        .with_for_update()
    )


def is_known(session: Session, request: NewIssue) -> bool:
    """Return whether a line was delivered before."""
    same = ChatMessage.channel == request.channel, ChatMessage.external_id == request.external_id
    return session.scalar(select(ChatMessage.message_id).where(*same)) is not None


def log_line(
    session: Session,
    request: NewIssue,
    rule: str | None,
    now: datetime,
    *,
    text: str | None = None,
    sr_id: int | None = None,
) -> int | None:
    """Store a line of a room. Returns `None` if it was delivered before.

    `text` replaces a text that must not be stored, such as a code; `sr_id` is the issue that the
    line belongs to. Personal numbers are masked: people in a room write to each other, and the log
    needs none of them.
    """
    kept = mask_personal_numbers(request.text if text is None else text)
    return session.scalar(
        insert(ChatMessage)
        .values(
            channel=request.channel,
            external_id=request.external_id,
            room=request.room,
            sender=request.sender,
            account=request.account,
            text=kept[:MAX_BODY],
            rule=rule,
            sr_id=sr_id,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ChatMessage.message_id)
    )
