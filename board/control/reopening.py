"""Reopen ended work: its requester or staff say that it is not settled, and it starts over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import acceptance, requests
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import rollback
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ENDED_STATES, Move, State
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import visibility
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Refused
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent

VERB = "reopen"


@repeat_on_conflict
def reopen(board: BoardContext, person: PersonInfo, sr_id: int, reason: str) -> State:
    """Reopen an ended issue with a reason, which its agent gets; return its new state.

    Raises `NotFound` if the person may not see it, `Forbidden` for customers who did not request
    it, `Refused` if it has not ended.
    """
    require_permission(person, "issue.reopen")
    text, now, by = require_reason(reason), board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        issue = visibility.find_issue(session, person, sr_id)
        if not may_reopen(session, person, issue):
            raise Forbidden(who=by.label, action=t("org.right.issue.reopen"))
        tasks = _lock_last_tasks(session, sr_id)
        if not tasks:
            raise Refused(why=t("board.no_goal_reopen"))
        if any(State(task.status) not in ENDED_STATES for task in tasks):
            raise Refused(why=t("board.not_ended"))
        wake_budget.renew(session, sr_id, by, now)
        for task in tasks:
            reopen_task(session, task, by, text, now)
        session.flush()
        session.refresh(issue)
        key = "reopened" if issue.status == State.PARSED else "reopened_manual"
        reply_to_room(session, issue, t(f"board.{key}", sr=sr_id, who=by.label), now)
        _log(session, issue, tasks, by, text, now)
        return State(issue.status)


def may_reopen(session: Session, person: PersonInfo, issue: Issue) -> bool:
    """Return whether a person may reopen an issue: staff, and customers their own requests."""
    if not is_allowed(person, "issue.reopen"):
        return False
    return person.role != "customer" or visibility.is_requester(session, person, issue)


def _lock_last_tasks(session: Session, sr_id: int) -> list[Task]:
    """Lock all tasks of an issue in order; return the last one of each server."""
    query = select(Task).where(Task.sr_id == sr_id).order_by(Task.task_id)
    tasks = session.scalars(query.with_for_update(key_share=True)).all()
    last = {task.target_server: task for task in tasks}
    open_tasks = [task for task in tasks if State(task.status) not in ENDED_STATES]
    return open_tasks or sorted(last.values(), key=lambda task: task.task_id)


def reopen_task(session: Session, task: Task, by: Actor, reason: str, now: datetime) -> Directive:
    """Reopen one ended task: its agent diagnoses again, or a person takes it over.

    Raises `Refused` while it is being rolled back.
    """
    if rollback.is_undoing(session, task.task_id):
        raise Refused(why=t("board.not_ended"))
    directive = rollback.create_directive(session, task, VERB, by, reason, now)
    acceptance.close_waiting(session, task, "REOPENED", by, now)
    requests.void(session, task)
    fresh = {"attempt": task.attempt + 1, "plan": None, "plan_hash": None, "category": None}
    move_task(
        session,
        task,
        Move.REOPEN,
        actor=by.kind,
        now=now,
        **fresh,
        run_after=None,
        paused=False,
    )
    agent = session.get(Agent, task.agent_id) if task.agent_id else None
    if task.target_server is None or agent is None or agent.duty != "operate":
        move_task(session, task, Move.HAND_OVER, actor=by.kind, now=now)
    else:
        cause = {"directive": directive.directive_id, "verb": VERB}
        reason_to_wake = WakeReason.DIRECTIVE
        wake(session, agent.agent_id, reason_to_wake, now, task.sr_id, cause=cause, by=by)
    return directive


def _log(
    session: Session, issue: Issue, tasks: list[Task], by: Actor, reason: str, now: datetime
) -> None:
    log.append(
        session,
        EntryKind.REOPENED,
        actor=str(by),
        now=now,
        sr_id=issue.sr_id,
        detail={"tasks": [task.task_id for task in tasks], "reason": reason},
        who=by.label,
        reason=reason,
    )
