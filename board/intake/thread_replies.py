"""Lines in the thread of an open issue: they belong to it, and open no other one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ENDED_STATES
from guardia.board.core.model import Issue
from guardia.board.intake import chat_log, limits
from guardia.board.issues import comments
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.org import identity
from guardia.settings import Settings
from guardia.text import MAX_BODY, is_blank, trim

RULE = "thread"
"""Rule name under which the log stores a line that was added to an issue."""


def add_to_issue(
    board: BoardContext, line: RoomLine, settings: Settings
) -> ConversationReply | None:
    """Add a line of an open issue's thread to it as a comment; `None` for other lines."""
    if not line.thread or is_blank(line.text) or _issue_of(board, line) is None:
        return None
    return limits.refusal(board, line, settings) or _add(board, line)


@repeat_on_conflict
def _issue_of(board: BoardContext, line: RoomLine) -> int | None:
    """Return the open issue of a line's thread, but `None` for the line that opened it."""
    with board.database.reading() as session:
        issue = _open_issue(session, line)
        return None if issue is None or issue.dedupe_key == line.dedupe_key else issue.sr_id


def _open_issue(session: Session, line: RoomLine) -> Issue | None:
    query = (
        select(Issue)
        .where(
            Issue.channel == line.channel,
            Issue.room == line.room,
            Issue.thread == line.thread,
            Issue.thread != "",
            Issue.status.not_in([state.value for state in ENDED_STATES]),
        )
        .order_by(Issue.sr_id.desc())
        .limit(1)
    )
    return session.scalar(query)


@repeat_on_conflict
def _add(board: BoardContext, line: RoomLine) -> ConversationReply:
    now = board.clock()
    with board.database.transaction() as session:
        issue = _open_issue(session, line)
        if issue is None or chat_log.log_line(session, line, RULE, now, sr_id=issue.sr_id) is None:
            return ConversationReply()
        author, text = _said(session, line)
        comments.write_comment(session, issue.sr_id, author, text, now, wakes_mentioned=False)
        return ConversationReply(
            t("intake.added", sr=issue_ref(issue.sr_id)) if line.addressed else ""
        )


def _said(session: Session, line: RoomLine) -> tuple[Actor, str]:
    """Return who wrote a line and what; the name that a channel gave is part of the text."""
    known = identity.person_of_account(session, line.channel, line.account)
    if known is not None and known.active:
        return Actor.of(known.as_info()), trim(line.text, MAX_BODY)
    return Actor.channel(line.channel), trim(f"{line.sender}: {line.text}", MAX_BODY)
