"""How a title, a description or a comment came to its present text: who, when, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Comment
from guardia.board.issues import view, visibility
from guardia.board.issues.model import EarlierText
from guardia.board.tracker.plan_changes import WordRun, compare_words
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo

_MOST = 50


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: the words that it removed and added."""

    field: str
    who: str
    at: datetime
    words: tuple[WordRun, ...]


def issue_history(board: BoardContext, viewer: PersonInfo, sr_id: int) -> list[Edit]:
    """Return the edits of an issue's title and description, the newest first."""
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        query = select(EarlierText).where(
            EarlierText.sr_id == sr_id, EarlierText.comment_id.is_(None)
        )
        rows = session.scalars(query.order_by(EarlierText.earlier_id.desc()).limit(_MOST)).all()
        return _edits(session, rows, {"title": issue.title, "body": issue.body})


def comment_history(
    board: BoardContext, viewer: PersonInfo, sr_id: int, comment_id: int
) -> list[Edit]:
    """Return the edits of a comment, the newest first. Raises `NotFound` if it is deleted."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        row = session.get(Comment, comment_id)
        if row is None or row.sr_id != sr_id or row.deleted_at or not view.may_read(viewer, row):
            raise NotFound(what=f"{issue_ref(sr_id)}/{comment_id}")
        query = select(EarlierText).where(EarlierText.comment_id == comment_id)
        rows = session.scalars(query.order_by(EarlierText.earlier_id.desc()).limit(_MOST)).all()
        return _edits(session, rows, {"comment": row.body})


def _edits(session: Session, rows: Sequence[EarlierText], later: dict[str, str]) -> list[Edit]:
    names = display_names_of(session, {row.edited_by for row in rows})
    found = []
    for row in rows:
        words = compare_words(row.text, later[row.field])
        who = names.get(row.edited_by, row.edited_by)
        found.append(Edit(row.field, who, row.edited_at, words))
        later[row.field] = row.text
    return found
