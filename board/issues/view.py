"""What pages and commands read of an issue itself: its state and its comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import stored_prefix
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ActorKind, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment
from guardia.board.issues import visibility
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_MAX_COMMENTS = 30


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


@dataclass(frozen=True, slots=True)
class NewestComments:
    """The newest comments of an issue, oldest first, and how many there are in all."""

    newest: tuple[CommentView, ...]
    total: int


def newest_comments(session: Session, sr_id: int) -> NewestComments:
    """Return the newest comments of an issue, for staff."""
    query = select(Comment, func.count().over()).where(
        Comment.sr_id == sr_id, Comment.deleted_at.is_(None)
    )
    found = session.execute(query.order_by(Comment.comment_id.desc()).limit(_MAX_COMMENTS)).all()
    return NewestComments(
        tuple(
            CommentView(c.comment_id, c.author, c.body, c.created_at) for c, _ in reversed(found)
        ),
        found[0][1] if found else 0,
    )


def get_comment(board: BoardContext, viewer: PersonInfo, sr_id: int, comment_id: int) -> str:
    """Return one whole comment. Raises `NotFound` if the viewer may not see it."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        return find_comment(session, viewer, comment_id, sr_id).body


def find_comment(
    session: Session, viewer: PersonInfo, comment_id: int, sr_id: int | None = None
) -> Comment:
    """Return a comment, of that issue if one is named. Raises `NotFound` if the viewer may not see
    it.
    """
    found = session.get(Comment, comment_id)
    is_there = found is not None and sr_id in (None, found.sr_id) and found.deleted_at is None
    if found is None or not is_there or not may_read(viewer, found):
        raise NotFound(what=f"{issue_ref(sr_id)}/{comment_id}" if sr_id else f"#{comment_id}")
    visibility.find_issue(session, viewer, found.sr_id)
    return found


def comments_visible_to(viewer: PersonInfo) -> list[ColumnElement[bool]]:
    """Return the conditions for the comments of an issue that a viewer may read."""
    is_there: ColumnElement[bool] = Comment.deleted_at.is_(None)
    if is_allowed(viewer, "plan.read"):
        return [is_there]
    return [is_there, Comment.author.startswith(stored_prefix(ActorKind.PERSON))]


def may_read(viewer: PersonInfo, comment: Comment) -> bool:
    """Return whether a viewer of an issue may read one of its comments."""
    # Agents write of diagnoses and servers; customers read what people tell them.
    is_persons = comment.author.startswith(stored_prefix(ActorKind.PERSON))
    return is_persons or is_allowed(viewer, "plan.read")
