"""What people decide: approve or reject one step of a plan's chain."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board import audit
from guardia.board.chain import clean
from guardia.board.desk.core import Desk, issue_of, move, reply, task_of, wake
from guardia.board.lifecycle import Actor, Move, State
from guardia.board.model import Approval, Issue, Task
from guardia.errors import Forbidden, Invalid, Stale
from guardia.i18n import t
from guardia.org.access import require
from guardia.org.directory import PersonName

_REASON = 1000


def decide(
    desk: Desk,
    person: PersonName,
    task_id: int,
    *,
    approve: bool,
    plan_hash: str,
    reason: str = "",
) -> State:
    """Decide the step that waits, for exactly the plan that the person saw.

    The requester never approves, and one person never fills two steps. A rejection needs a
    reason. Returns the task's state after it.
    """
    require(person, "approval.decide")
    text = clean(reason).strip()[:_REASON]
    if not approve and not text:
        raise Invalid(what=t("desk.reason"), why=t("desk.reason_needed"))
    now = desk.clock()
    with desk.database.transaction() as session:
        task = task_of(session, task_id)
        step = _waiting(session, task, plan_hash)
        issue = issue_of(session, task.sr_id)
        _may_decide(session, person, step, issue)
        step.state = "APPROVED" if approve else "REJECTED"
        step.decided_by, step.reason, step.decided_at = person.id, text, now
        session.flush()
        state = _advance(session, task, step, now, approve=approve)
        _announce(session, issue, task, step, person, state, now)
        return state


def _waiting(session: Session, task: Task, plan_hash: str) -> Approval:
    if task.plan_hash != plan_hash or task.status != State.PENDING_APPROVAL:
        raise Stale(what=f"SR-{task.sr_id}")
    step = session.scalar(
        select(Approval)
        .where(
            Approval.task_id == task.task_id,
            Approval.plan_hash == plan_hash,
            Approval.state == "WAITING",
        )
        .order_by(Approval.step)
        .limit(1)
        .with_for_update()
    )
    if step is None:
        raise Stale(what=f"SR-{task.sr_id}")
    return step


def _may_decide(session: Session, person: PersonName, step: Approval, issue: Issue) -> None:
    who = f"{person.name} {person.title}"
    if person.role != step.role:
        raise Forbidden(who=who, action=t("desk.step_of", role=t(f"org.role.{step.role}")))
    if person.id == issue.requester_id:
        raise Forbidden(who=who, action=t("desk.own_request"))
    earlier = session.scalar(
        select(Approval.approval_id).where(
            Approval.task_id == step.task_id,
            Approval.plan_hash == step.plan_hash,
            Approval.decided_by == person.id,
        )
    )
    if earlier is not None:
        raise Forbidden(who=who, action=t("desk.second_step"))


def _advance(
    session: Session, task: Task, step: Approval, now: datetime, *, approve: bool
) -> State:
    if not approve:
        return move(session, task, Move.REJECT, actor=Actor.PERSON, now=now)
    further = session.scalar(
        select(Approval.step)
        .where(
            Approval.task_id == task.task_id,
            Approval.plan_hash == step.plan_hash,
            Approval.state == "WAITING",
        )
        .limit(1)
    )
    if further is not None:
        return State(task.status)
    return move(session, task, Move.APPROVE, actor=Actor.PERSON, now=now)


def _announce(
    session: Session,
    issue: Issue,
    task: Task,
    step: Approval,
    person: PersonName,
    state: State,
    now: datetime,
) -> None:
    kind = "approved" if step.state == "APPROVED" else "rejected"
    who = f"{person.name} {person.title}"
    if task.agent_id and state is not State.PENDING_APPROVAL:
        wake(session, task.agent_id, "approval_decided", now, issue.sr_id)
    reply(session, issue, t(f"desk.{kind}", sr=issue.sr_id, who=who, reason=step.reason), now)
    audit.append(
        session,
        kind,
        actor=f"person:{person.id}",
        now=now,
        sr_id=issue.sr_id,
        task_id=task.task_id,
        detail={
            "step": step.step,
            "role": step.role,
            "plan_hash": step.plan_hash,
            "reason": step.reason,
        },
        who=who,
        step=step.step,
        reason=step.reason,
    )
