"""What the clock does about people who wait and work that waits: reminders, escalation, expiry,
and windows that open. One short look over two small indexes; each row in its own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board import audit
from guardia.board.desk import asking, budgets
from guardia.board.desk.core import Desk, issue_of, move, reply, task_of, wake
from guardia.board.lifecycle import Actor, Move, State
from guardia.board.model import Approval, Issue, Task
from guardia.board.reasons import Reason
from guardia.i18n import t

_ACTOR = "system:clock"
_BATCH = 200


def look(desk: Desk) -> int:
    """Do what is due now; returns how much that was. Any number of hosts may look at once."""
    now = desk.clock()
    with desk.database.reading() as session:
        waiting = session.execute(
            select(Approval.task_id, Approval.approval_id)
            .where(Approval.state == "WAITING", Approval.look_at <= now)
            .order_by(Approval.look_at)
            .limit(_BATCH)
        ).all()
        later = session.scalars(
            select(Task.task_id).where(Task.run_after <= now).order_by(Task.run_after).limit(_BATCH)
        ).all()
    done = budgets.look(desk)
    done += sum(_step_due(desk, task_id, approval_id) for task_id, approval_id in waiting)
    return done + sum(_work_due(desk, task_id) for task_id in later)


def _step_due(desk: Desk, task_id: int, approval_id: int) -> bool:
    now = desk.clock()
    with desk.database.transaction() as session:
        task = task_of(session, task_id)
        step = session.get(Approval, approval_id, with_for_update=True)
        # Another host, or a person, may have been faster.
        if step is None or step.state != "WAITING" or not step.look_at or step.look_at > now:
            return False
        issue = issue_of(session, task.sr_id)
        if step.due_at is None or step.due_at > now:
            _remind(session, issue, task, step, now)
        elif step.escalate_to and step.escalated_at is None:
            _escalate(session, issue, task, step, now)
        else:
            _expire(session, issue, task, step, now)
        return True


def _remind(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    _look_again(session, task, step, now)
    names = asking.notify(session, issue, task, step, "reminder", now)
    at = asking.local(session, step.due_at or now)
    reply(session, issue, t("desk.reminder", sr=issue.sr_id, who=names, at=at), now)


def _look_again(session: Session, task: Task, step: Approval, now: datetime) -> None:
    remind = asking.terms(session, task.category).remind
    due = step.due_at or now
    step.look_at = min(now + remind, due) if remind else due


def _escalate(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    """The same time again, with more people who may decide."""
    step.escalated_at = now
    step.due_at = now + asking.terms(session, task.category).expires
    _look_again(session, task, step, now)
    names = asking.notify(session, issue, task, step, "escalated", now)
    role = t(f"org.role.{step.escalate_to}")
    reply(session, issue, t("desk.escalated", sr=issue.sr_id, role=role, who=names), now)
    _record(session, "approval_escalated", issue, task, step, now, role=role)


def _expire(session: Session, issue: Issue, task: Task, step: Approval, now: datetime) -> None:
    """Nobody has decided in time: nothing runs, and people take it from here."""
    step.state, step.look_at = "EXPIRED", None
    session.flush()
    asking.void(session, task)
    fence = task.fence + 1
    move(session, task, Move.HAND_OVER, actor=Actor.AGENT, now=now, fence=fence, run_id=None)
    reply(session, issue, t("desk.expired", sr=issue.sr_id, step=step.step), now)
    _record(session, "approval_expired", issue, task, step, now)


def _work_due(desk: Desk, task_id: int) -> bool:
    now = desk.clock()
    with desk.database.transaction() as session:
        task = task_of(session, task_id)
        if task.run_after is None or task.run_after > now:
            return False
        issue = issue_of(session, task.sr_id)
        waits = task.status == State.APPROVED
        # The chart may have changed since: a freeze that was declared meanwhile holds.
        task.run_after = (
            asking.runs_from(session, issue, task.category or "", now) if waits else None
        )
        if waits and task.run_after is None and task.agent_id:
            cause = {"task": task.task_id}
            wake(session, task.agent_id, Reason.WINDOW_OPEN, now, task.sr_id, cause=cause)
        return True


def _record(
    session: Session,
    kind: str,
    issue: Issue,
    task: Task,
    step: Approval,
    now: datetime,
    **words: str,
) -> None:
    audit.append(
        session,
        kind,
        actor=_ACTOR,
        now=now,
        sr_id=issue.sr_id,
        task_id=task.task_id,
        detail={"step": step.step, "plan_hash": step.plan_hash, "role": step.role},
        step=step.step,
        **words,
    )
