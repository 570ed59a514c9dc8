"""Delete questions, and what was found for issues, after their time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, update

from guardia.board.core.context import BoardContext
from guardia.board.knowledge.model import AnswerDay, DocumentGap
from guardia.board.search.model import DocumentQuestion, IssueRelated
from guardia.db.engine import repeat_on_conflict

KEEP_QUESTIONS = timedelta(days=90)
"""How long questions are kept, of which the dashboard shows those without an answer."""
MOST_QUESTIONS = 1000
"""Questions that are kept of each person; the newest."""
_KEEP_RELATED = timedelta(days=30)
_KEEP_DAYS = timedelta(days=400)
_LOST = timedelta(minutes=5)
"""After which a question that a worker has taken is not answered any more."""


@repeat_on_conflict
def delete_old(board: BoardContext) -> None:
    """Delete what is too old or too much; called every hour."""
    now = board.current_time()
    newest_first = func.row_number().over(
        partition_by=DocumentQuestion.person_id, order_by=DocumentQuestion.question_id.desc()
    )
    ranked = select(DocumentQuestion.question_id, newest_first.label("place")).subquery()
    too_many = select(ranked.c.question_id).where(ranked.c.place > MOST_QUESTIONS)
    old = now - KEEP_QUESTIONS
    with board.database.transaction() as session:
        for statement in (
            delete(DocumentQuestion).where(DocumentQuestion.asked_at < old),
            delete(DocumentQuestion).where(DocumentQuestion.question_id.in_(too_many)),
            delete(IssueRelated).where(IssueRelated.wanted_at < now - _KEEP_RELATED),
            delete(DocumentGap).where(DocumentGap.searched_at < old),
            delete(AnswerDay).where(AnswerDay.day < (now - _KEEP_DAYS).date()),
        ):
            session.execute(statement)


@repeat_on_conflict
def fail_lost(board: BoardContext) -> None:
    """End questions that a worker has taken and never answered; called once a minute."""
    now = board.current_time()
    lost = DocumentQuestion.state == "TAKEN", DocumentQuestion.asked_at < now - _LOST
    with board.database.transaction() as session:
        ended = {"state": "FAILED", "answered_at": now}
        session.execute(update(DocumentQuestion).where(*lost).values(**ended))
