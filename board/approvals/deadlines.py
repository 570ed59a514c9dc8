"""Time-driven changes: reminders, escalation and expiry of approval steps, and opening windows.

Each pass scans two small indexes. Every row has its own transaction, so a row that fails does not
block the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute, Session

from guardia.board.approvals import acceptance, requests, start_time
from guardia.board.approvals.model import Acceptance, Approval
from guardia.board.audit import log as audit_log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import server_queue
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.run_model import Tick
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError
from guardia.i18n import t

log = logging.getLogger(__name__)

_ACTOR = Actor.system("clock")
_BATCH = 200


def process_due(board: BoardContext) -> int:
    """Process all due rows and return how many succeeded; several hosts may do so at once.

    A failure is logged each time, and raises one alert per row and due time.
    """
    now, done = board.clock(), 0
    waiting = Approval.state == "WAITING"
    for due, number in _due_rows(board, now, Approval.look_at, Approval.approval_id, waiting):
        done += _process_row(board, "approval", number, due)
    for due, number in _due_rows(board, now, Task.run_after, Task.task_id):
        done += _process_row(board, "task", number, due)
    unanswered = Acceptance.state == "WAITING"
    for due, number in _due_rows(
        board, now, Acceptance.due_at, Acceptance.acceptance_id, unanswered
    ):
        done += _process_row(board, "acceptance", number, due)
    return done + _release_stuck_queues(board, now)


def _due_rows(
    board: BoardContext,
    now: datetime,
    moment: InstrumentedAttribute[datetime | None],
    number: InstrumentedAttribute[int],
    *where: ColumnElement[bool],
) -> Iterator[tuple[datetime, int]]:
    """Yield due time and number of due rows, oldest first, also of those after failed rows."""
    query = select(moment, number).where(moment <= now, *where)
    query = query.order_by(moment, number).limit(_BATCH)
    last: tuple[datetime, int] | None = None
    while True:
        with board.database.reading() as session:
            next_page = query.where(tuple_(moment, number) > last) if last else query
            batch = [(due, n) for due, n in session.execute(next_page) if due is not None]
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1]


def _process_row(board: BoardContext, what: str, number: int, due: datetime) -> bool:
    try:
        return _PROCESSORS[what](board, number)
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # the database is gone: not this row's fault, and no alert can be written
        log.exception("cannot process due %s %s", what, number)
        why = str(error) if isinstance(error, GuardiaError) else type(error).__name__
        _alert(board, f"{what} {number}", why, due)
        return False


@repeat_on_conflict
def _alert(board: BoardContext, what: str, why: str, due: datetime) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        row = insert(Tick).values(agent_id=f"due:{what}", tick=due).on_conflict_do_nothing()
        if session.scalar(row.returning(Tick.agent_id)) is not None:
            send(session, "alert", t("board.due_failed", what=what, why=why), now, sr_id=None)


@repeat_on_conflict
def _process_step(board: BoardContext, approval_id: int) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        known = session.get(Approval, approval_id)
        if known is None:
            return False
        task = lock_task(session, known.task_id)
        step = session.get(Approval, approval_id, with_for_update=True, populate_existing=True)
        # Another host or a person may have handled it first.
        if step is None or step.state != "WAITING" or not step.look_at or step.look_at > now:
            return False
        issue = get_issue(session, task.sr_id)
        if step.due_at is None or step.due_at > now:
            _remind(session, issue, task, step, now)
        elif step.escalate_to and step.escalated_at is None:
            _escalate(session, issue, task, step, now)
        else:
            _expire(session, issue, task, step, now)
        return True


def _remind(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    _schedule_check(session, task, step, now)
    names = requests.notify(session, issue, task, step, "reminder", now)
    at = start_time.format_local(session, step.due_at or now)
    reply_to_room(
        session, issue, t("board.reminder", sr=issue.sr_id, who=names, at=at), now, public=""
    )


def _schedule_check(session: Session, task: Task, step: Approval, now: datetime) -> None:
    remind = requests.policy_for(session, task.category).remind
    due = step.due_at or now
    step.look_at = min(now + remind, due) if remind else due


def _escalate(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    """Extend the step by the same period and let a further role decide."""
    step.escalated_at = now
    step.due_at = now + requests.policy_for(session, task.category).expires
    _schedule_check(session, task, step, now)
    names = requests.notify(session, issue, task, step, "escalated", now)
    role = t(f"org.role.{step.escalate_to}")
    text = t("board.escalated", sr=issue.sr_id, role=role, who=names)
    reply_to_room(session, issue, text, now, public="")
    _log_step(session, EntryKind.APPROVAL_ESCALATED, issue, task, step, now, role=role)


def _expire(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    """Void an approval that was not given in time and hand the task over to people."""
    step.state, step.look_at = "EXPIRED", None
    session.flush()
    requests.void(session, task)
    fence = task.fence + 1
    move_task(
        session, task, Move.HAND_OVER, actor=ActorKind.AGENT, now=now, fence=fence, run_id=None
    )
    reply_to_room(
        session, issue, t("board.expired", sr=issue.sr_id, step=step.step), now, public=""
    )
    _log_step(session, EntryKind.APPROVAL_EXPIRED, issue, task, step, now)


@repeat_on_conflict
def _process_task(board: BoardContext, task_id: int) -> bool:
    now = board.clock()
    with board.database.transaction() as session:
        task = lock_task(session, task_id)
        if task.run_after is None or task.run_after > now:
            return False
        issue = get_issue(session, task.sr_id)
        approved = task.status == State.APPROVED
        # The chart may have changed since: a freeze declared after the approval applies.
        task.run_after = _next_start(session, issue, task, now) if approved else None
        if approved and task.run_after is None and task.agent_id:
            cause = {"task": task.task_id}
            wake(session, task.agent_id, WakeReason.WINDOW_OPEN, now, task.sr_id, cause=cause)
        return True


def _next_start(session: Session, issue: Issue, task: Task, now: datetime) -> datetime | None:
    decisions = requests.decisions_on(session, requests.active_steps(session, task))
    return start_time.approved_start(session, issue, task, decisions, now)


@repeat_on_conflict
def _release_stuck_queues(board: BoardContext, now: datetime) -> int:
    """Let tasks go on that wait for one that has been held up; return for how many they waited."""
    with board.database.reading() as session:
        stuck = server_queue.stuck_queues(session, now)
    for task_id, server in stuck:
        with board.database.transaction() as session:
            server_queue.release_stuck(session, task_id, server, now)
    return len(stuck)


@repeat_on_conflict
def _process_acceptance(board: BoardContext, acceptance_id: int) -> bool:
    with board.database.transaction() as session:
        return acceptance.process_overdue(session, board, acceptance_id)


_PROCESSORS: dict[str, Callable[[BoardContext, int], bool]] = {
    "approval": _process_step,
    "task": _process_task,
    "acceptance": _process_acceptance,
}


def _log_step(
    session: Session,
    kind: EntryKind,
    issue: Issue,
    task: Task,
    step: Approval,
    now: datetime,
    **words: str,
) -> None:
    audit_log.append(
        session,
        kind,
        actor=str(_ACTOR),
        now=now,
        sr_id=issue.sr_id,
        task_id=task.task_id,
        detail={"step": step.step, "plan_hash": step.plan_hash, "role": step.role},
        step=step.step,
        **words,
    )
