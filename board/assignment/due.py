"""What is due: unanswered proposals and questions, reports of ended incidents, ownerless issues."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from guardia.board.assignment import history, proposals, questions, queue, reports
from guardia.board.assignment.model import IssueReport, Proposal, Question, QueueEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.db.engine import OUTAGE_ERRORS, repeat_on_conflict
from guardia.errors import Refused
from guardia.i18n import t

log = logging.getLogger(__name__)

_CLOCK = Actor.system("clock")
_BATCH = 100
_OPEN_VALUES = [state.value for state in OPEN_STATES]
_UNOWNED = select(Issue).where(
    Issue.status == State.MANUAL.value,
    Issue.assignee_id.is_(None),
    ~exists().where(Proposal.sr_id == Issue.sr_id, Proposal.state == "OPEN"),
    ~exists().where(QueueEntry.sr_id == Issue.sr_id, QueueEntry.left_at.is_(None)),
    ~exists().where(IssueReport.sr_id == Issue.sr_id, IssueReport.state == "LINKED"),
)
"""Issues that wait for people and that no one has, is asked to take or looks after."""
_UNOWNED_NUMBERS = _UNOWNED.with_only_columns(Issue.sr_id).order_by(Issue.sr_id)


def process_due(board: BoardContext) -> int:
    """Process everything that is due and return how much; several hosts may do so at once.

    Each row has a transaction of its own: one that fails is logged and blocks no other.
    """
    now = board.clock()
    work: list[tuple[Callable[[BoardContext, int], bool], list[int]]] = []
    with board.database.reading() as session:
        late = select(Proposal.proposal_id).where(Proposal.state == "OPEN", Proposal.due_at <= now)
        work.append((_lapse, _some(session, late.order_by(Proposal.due_at))))
        work.append((questions.end_due, _due_questions(session, now)))
        work.append((reports.follow, reports.due_links(session, _BATCH)))
        work.append((_clear, _left_over(session)))
        work.append((_queue_unowned, _some(session, _UNOWNED_NUMBERS)))
    return sum(_process(board, act, numbers) for act, numbers in work)


def _process(
    board: BoardContext, act: Callable[[BoardContext, int], bool], numbers: Iterable[int]
) -> int:
    done = 0
    for number in numbers:
        try:
            done += act(board, number)
        except OUTAGE_ERRORS:
            raise
        except Exception:
            log.exception("cannot process %s of %s", act.__name__, number)
    return done


def _some(session: Session, query: Select[int]) -> list[int]:
    return list(session.scalars(query.limit(_BATCH)))


def _due_questions(session: Session, now: datetime) -> list[int]:
    """Return open questions that are late, or whose request went on without an answer."""
    query = (
        select(Question.question_id)
        .join(Task, Task.task_id == Question.task_id)
        .where(
            Question.state == "OPEN",
            or_(Question.due_at <= now, Task.status != State.RECEIVED.value),
        )
    )
    return _some(session, query.order_by(Question.due_at))


def _left_over(session: Session) -> list[int]:
    """Return issues with a waiting proposal or queue entry that need no person any more."""
    no_work = Issue.status != State.MANUAL.value
    asked = select(Proposal.sr_id).join(Issue, Issue.sr_id == Proposal.sr_id)
    queued = select(QueueEntry.sr_id).join(Issue, Issue.sr_id == QueueEntry.sr_id)
    team_left = and_(QueueEntry.team_id.is_not(None), Issue.status.not_in(_OPEN_VALUES))
    found = _some(session, asked.where(Proposal.state == "OPEN", no_work))
    left = or_(and_(QueueEntry.team_id.is_(None), no_work), team_left)
    return [*found, *_some(session, queued.where(QueueEntry.left_at.is_(None), left))]


@repeat_on_conflict
def _lapse(board: BoardContext, number: int) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        known = session.get(Proposal, number)
        if known is None:
            return False
        try:
            history.lock_open_issue(session, known.sr_id)
        except Refused:
            return False
        row = session.get_one(Proposal, number, with_for_update=True, populate_existing=True)
        if row.state != "OPEN" or row.due_at is None or row.due_at > now:
            return False
        proposals.lapse_within(session, row, _CLOCK, now)
        return True


@repeat_on_conflict
def _clear(board: BoardContext, sr_id: int) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        history.withdraw_open(session, sr_id, _CLOCK, now)
        history.leave_queue(session, sr_id, _CLOCK, now)
        return True


@repeat_on_conflict
def _queue_unowned(board: BoardContext, sr_id: int) -> bool:
    """Put an issue into the queue that came to people in another way than by a hand-over."""
    now = board.clock()
    with board.database.transaction() as session:
        history.lock_open_issue(session, sr_id)
        issue = session.scalar(_UNOWNED.where(Issue.sr_id == sr_id))
        if issue is None:
            return False
        queue.enter_within(
            session, issue, t("assignment.came_otherwise"), _CLOCK, now, quietly=True
        )
        return True
