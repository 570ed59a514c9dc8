"""TODO."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.core.context import Desk
from guardia.board.core.lookup import issue_of
from guardia.board.core.model import Comment
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.issues.mentions import mentioned
from guardia.board.issues.receiving import _BODY
from guardia.errors import Missing
from guardia.i18n import t
from guardia.org import registry

_EXCERPT = 500


def comment(desk: Desk, sr_id: int, author: str, body: str) -> None:
    """Add a note to an issue."""
    text = clean(body).strip()[:_BODY]
    if not text:
        raise Missing(what=t("web.form.reason"))
    now = desk.clock()
    with desk.database.transaction() as session:
        note(session, sr_id, author, text, now)


def note(
    session: Session, sr_id: int, author: str, text: str, now: datetime, *, calls: bool = True
) -> None:
    """A comment inside a larger transaction; wakes the agents that it mentions if it ``calls``."""
    issue = issue_of(session, sr_id)
    issue.updated_at = now
    row = Comment(sr_id=sr_id, author=author, body=clean(text), created_at=now)
    session.add(row)
    session.flush()
    if calls and "@" in row.body:
        _call(session, row, now)
    log.append(
        session,
        "comment",
        actor=author,
        now=now,
        sr_id=sr_id,
        detail={"body": text},
        text=text[:_EXCERPT],
    )


def _call(session: Session, row: Comment, now: datetime) -> None:
    """Wake the agents that a comment mentions; its author never."""
    cause = {"comment": row.comment_id}
    for agent in mentioned(row.body, registry.agent_names(session)):
        wake(session, agent, Reason.MENTION, now, row.sr_id, cause=cause, by=row.author)
