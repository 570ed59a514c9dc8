"""What pages and commands read of an issue itself: its state and its comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.actors import stored_prefix
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment

_MAX_COMMENTS = 300


@dataclass(frozen=True, slots=True)
class IssueView:
    """An issue in one line."""

    state: State
    title: str


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment."""

    comment_id: int
    author: str
    body: str
    created_at: datetime


def issue(board: BoardContext, sr_id: int) -> IssueView:
    """Return an issue in one line. Raises `NotFound` if there is none."""
    with board.database.reading() as session:
        row = get_issue(session, sr_id)
        return IssueView(State(row.status), row.title)


def comments(session: Session, sr_id: int, *, staff: bool) -> tuple[CommentView, ...]:
    """Return the newest comments of an issue, oldest first; without `staff`, those of people."""
    query = select(Comment).where(Comment.sr_id == sr_id)
    if not staff:
        # Agents write of diagnoses and servers; customers read what people tell them.
        query = query.where(Comment.author.startswith(stored_prefix(ActorKind.PERSON)))
    found = session.scalars(query.order_by(Comment.comment_id.desc()).limit(_MAX_COMMENTS)).all()
    return tuple(CommentView(c.comment_id, c.author, c.body, c.created_at) for c in reversed(found))
