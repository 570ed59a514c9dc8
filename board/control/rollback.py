"""Store directives, and let agents carry out the rollbacks that they demand.

A directive raises the task's fence, so that no in-flight write of an agent can land after it. A
task that may have changed something is then undone by its agent under a grant for that rollback.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from guardia.board.approvals import acceptance
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import kill_report
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, Grant, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Comment, Directive, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import reply_to_room, send
from guardia.board.core.plan import Category, Plan
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.execution import commands
from guardia.board.execution.tasks import store_plan, stored_plan
from guardia.board.runs.beats import RunContext, is_current, release_tasks
from guardia.board.runs.claiming import ROLLBACK_TASKS
from guardia.db.engine import repeat_on_conflict
from guardia.db.entities import Insertion
from guardia.db.statement import Statement
from guardia.errors import Stale
from guardia.i18n import t, t_default
from guardia.org import registry

_NEW_DIRECTIVE = Insertion(Directive)
_UNDOING = Statement(
    select(Directive.directive_id).where(
        Directive.task_id == bindparam("task"), Directive.state == "UNDOING"
    )
)


@dataclass(frozen=True, slots=True)
class RollbackClaim:
    """A claim on a task for its rollback."""

    directive_id: int
    claim: Claim


@dataclass(frozen=True, slots=True)
class RollbackGrant:
    """Permission to roll back a plan, except for its first actions."""

    grant: Grant
    plan: Plan
    kept: int
    """Number of leading actions that the changed plan shares and that stay in place."""


def create_directive(
    session: Session,
    task: Task,
    verb: str,
    issued_by: Actor,
    reason: str,
    now: datetime,
    *,
    undo: bool = False,
    kill_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> Directive:
    """Revoke the claim on a task and store a directive; `undo` wakes its agent."""
    directive = Directive(
        task_id=task.task_id,
        sr_id=task.sr_id,
        kill_id=kill_id,
        verb=verb,
        detail=detail or {},
        ordered_by=str(issued_by),
        reason=reason,
        found=task.status,
        state="UNDOING" if undo else "DONE",
        ordered_at=now,
        ended_at=None if undo else now,
    )
    _NEW_DIRECTIVE.store(session, directive)
    # Written with the move that follows, if there is one.
    task.fence += 1
    task.run_id = None
    if undo and task.agent_id:
        cause = {"directive": directive.directive_id, "verb": verb}
        wake(
            session,
            task.agent_id,
            WakeReason.ORDER,
            now,
            task.sr_id,
            cause=cause,
            by=issued_by,
        )
    return directive


def record_directive(
    session: Session, directive: Directive, issued_by: Actor, now: datetime, server: str | None
) -> None:
    """Append the directive's audit entry, on which workers stop running commands of the task."""
    log.append(
        session,
        EntryKind.ORDERED,
        actor=str(issued_by),
        now=now,
        sr_id=directive.sr_id,
        task_id=directive.task_id,
        detail={
            "directive": directive.directive_id,
            "verb": directive.verb,
            "found": directive.found,
            "undo": directive.state == "UNDOING",
            "reason": directive.reason,
            **directive.detail,
        },
        who=issued_by.label,
        verb=t_default(f"board.verb.{directive.verb}"),
        server=server or "-",
        reason=directive.reason or "-",
    )


@repeat_on_conflict
def claim_rollback(
    board: BoardContext,
    run_context: RunContext,
    done: frozenset[int] = frozenset(),
    beside: frozenset[int] = frozenset(),
) -> RollbackClaim | None:
    """Claim a task of this agent that must be rolled back, even if the kill switch is on.

    The beat keeps its claims on the tasks `beside`, which still run.
    """
    while True:
        with board.database.transaction() as session:
            if not is_current(session, run_context):
                return None
            if release_tasks(session, run_context, beside):
                continue  # see `beats.claim_task`
            return _claim(session, run_context, done)


def _claim(session: Session, run_context: RunContext, done: frozenset[int]) -> RollbackClaim | None:
    task = session.scalar(
        select(Task)
        .where(
            Task.agent_id == run_context.agent_id,
            Task.task_id.in_(ROLLBACK_TASKS),
            Task.task_id.not_in(done),
            ~_waits_for_server(),
        )
        .order_by(Task.task_id)
        .limit(1)
        .with_for_update(of=Task, key_share=True)
    )
    directive = _lock_directive(session, task.task_id) if task else None
    if task is None or directive is None:
        return None
    task.fence += 1
    task.run_id = run_context.run_id
    claim = Claim(task.task_id, task.sr_id, run_context.agent_id, run_context.run_id, task.fence)
    return RollbackClaim(directive.directive_id, claim)


def _waits_for_server() -> ColumnElement[bool]:
    """Return whether the rollback of a completed task has to wait for its server.

    Work in progress never waits: it holds the server already.
    """
    other, first, own = aliased(Task), aliased(Directive), aliased(Directive)
    running = select(other.task_id).where(
        other.target_server == Task.target_server,
        other.task_id != Task.task_id,
        other.status == State.IN_PROGRESS,
        func.jsonb_array_length(other.plan["actions"]) > 0,
    )
    earlier = (
        select(first.directive_id)
        .join(other, other.task_id == first.task_id)
        .join(own, (own.task_id == Task.task_id) & (own.state == "UNDOING"))
        .where(
            other.target_server == Task.target_server,
            first.state == "UNDOING",
            first.directive_id < own.directive_id,
        )
    )
    return and_(Task.status == State.COMPLETED, or_(running.exists(), earlier.exists()))


def is_undoing(session: Session, task_id: int) -> bool:
    """Return whether a task is to be rolled back by a directive."""
    return _UNDOING.first(session, {"task": task_id}) is not None


@repeat_on_conflict
def wake_waiting(board: BoardContext) -> None:
    """Wake every agent that has a rollback to carry out.

    For a host that refused commands when the directive came: the beat that it woke has ended.
    """
    waiting = (
        select(Task.agent_id, Directive.directive_id, Directive.verb, Directive.sr_id)
        .join(Directive, Directive.task_id == Task.task_id)
        .where(Directive.state == "UNDOING", Task.agent_id.is_not(None))
        .order_by(Task.agent_id, Directive.directive_id)
    )
    now = board.clock()
    with board.database.transaction() as session:
        for agent_id, directive_id, verb, sr_id in session.execute(waiting).all():
            cause = {"directive": directive_id, "verb": verb}
            wake(session, str(agent_id), WakeReason.ORDER, now, sr_id, cause=cause)


def _lock_directive(session: Session, task_id: int) -> Directive | None:
    query = select(Directive).where(Directive.task_id == task_id, Directive.state == "UNDOING")
    return session.scalar(query.with_for_update())


@repeat_on_conflict
def grant_rollback(board: BoardContext, rollback: RollbackClaim) -> RollbackGrant:
    """Grant the undo of a task's plan, and reads on its server."""
    with board.database.transaction() as session:
        task = claimed_task(session, rollback.claim)
        plan = stored_plan(task)
        directive = _lock_directive(session, task.task_id)
        new_plan = _replacement_plan(directive) if directive else None
        kept = commands.completed_prefix(session, task, new_plan) if new_plan else 0
        category = task.category or Category.READ_ONLY
        grant = Grant(rollback.claim, plan.server, category, task.plan_hash, rollback.directive_id)
        return RollbackGrant(grant, plan, kept)


def _replacement_plan(directive: Directive) -> Plan | None:
    """Return the changed plan, or `None` if there is none or the kill switch has overridden it."""
    if directive.verb != "change" or directive.kill_id is not None:
        return None
    return Plan.model_validate(directive.detail["plan"])


def finish_rollback(
    board: BoardContext,
    rollback: RollbackClaim,
    restored: list[str],
    lost: list[str],
    kept: int = 0,
) -> State:
    """Close a directive with the result of its rollback; return the task's new state.

    Hands the task to people with an alert if something was not restored. A changed plan is then
    filed with the person who issued the directive as author, and its approvals are requested.
    """
    state = _finish(board, rollback, restored, lost, kept)
    kill_report.send_due_reports(board)
    return state


@repeat_on_conflict
def _finish(
    board: BoardContext, rollback: RollbackClaim, restored: list[str], lost: list[str], kept: int
) -> State:
    now, claim = board.clock(), rollback.claim
    with board.database.transaction() as session:
        task = claimed_task(session, claim)
        directive = _lock_directive(session, claim.task_id)
        if directive is None or directive.directive_id != rollback.directive_id:
            raise Stale(what=issue_ref(claim.sr_id))
        new_plan, before = _replacement_plan(directive), task.plan_hash or ""
        if kept and new_plan is None:  # the kill switch overrode the change: nothing is kept
            task.run_id = None
            cause = {"directive": directive.directive_id, "verb": "kill"}
            wake(session, claim.agent_id, WakeReason.ORDER, now, claim.sr_id, cause=cause)
            return State(task.status)
        step, actor = _final_move(State(task.status), lost, changed=new_plan is not None)
        values = {"attempt": task.attempt + 1} if step is Move.RETURN else {}
        move_task(session, task, step, actor=actor, now=now, run_id=None, **values)
        # Nothing to undo is another fact than everything undone.
        directive.detail = {**directive.detail, "restored": len(restored)}
        acceptance.close_waiting(session, task, "VOID", claim.actor, now)
        _close(session, directive, _outcome_text(restored, lost), now, whole=not lost)
        _announce_end(session, directive, lost, now)
        _log_end(session, rollback, directive, restored, lost, kept, now)
        if step is Move.RETURN and new_plan is not None:
            author = Actor.parse(directive.ordered_by)
            assert author is not None
            store_plan(session, task, new_plan, author, now, reason=directive.reason)
            commands.carry_over(session, task.task_id, before, task.plan_hash or "", kept)
        return State(task.status)


def _announce_end(session: Session, directive: Directive, lost: list[str], now: datetime) -> None:
    """Notify the room and wake auditors; alert people unless the kill report covers it."""
    sr_id = directive.sr_id
    key = "not_restored" if lost else "undone" if directive.detail["restored"] else "nothing_undone"
    message = t(f"board.{key}", sr=sr_id, text=directive.outcome)
    reply_to_room(session, get_issue(session, sr_id), message, now)
    if lost or directive.verb not in ("kill", "change"):
        kind = NoticeKind.FAILED_ROLLBACK if lost else NoticeKind.ALERT
        send(session, "alert", message, now, sr_id=sr_id, notice=kind)
    for auditor in registry.auditors(session):
        cause = {"directive": directive.directive_id}
        wake(session, auditor, WakeReason.FINISHED, now, sr_id, cause=cause)


def _final_move(state: State, lost: list[str], *, changed: bool) -> tuple[Move, ActorKind]:
    if lost:
        return Move.HAND_OVER, ActorKind.AGENT
    if changed:
        return Move.RETURN, ActorKind.PERSON
    if state is State.COMPLETED:
        return Move.UNDO, ActorKind.PERSON  # who issued the directive
    return Move.FAIL, ActorKind.AGENT


def _close(
    session: Session, directive: Directive, text: str, now: datetime, *, whole: bool
) -> None:
    directive.state = "RESTORED" if whole else "NOT_RESTORED"
    directive.outcome, directive.ended_at = text, now
    session.flush()


def abandon_rollback(session: Session, task: Task, text: str, now: datetime) -> None:
    """Close an unfinished rollback of a task that a person takes over."""
    directive = _lock_directive(session, task.task_id)
    if directive is not None:
        _close(session, directive, text, now, whole=False)


def _log_end(
    session: Session,
    rollback: RollbackClaim,
    directive: Directive,
    restored: list[str],
    lost: list[str],
    kept: int,
    now: datetime,
) -> None:
    claim, author, text = rollback.claim, rollback.claim.actor, directive.outcome
    session.add(Comment(sr_id=claim.sr_id, author=str(author), body=text, created_at=now))
    session.flush()
    log.append(
        session,
        EntryKind.NOT_RESTORED if lost else EntryKind.UNDONE,
        actor=str(author),
        now=now,
        sr_id=claim.sr_id,
        task_id=claim.task_id,
        detail={
            "directive": directive.directive_id,
            "verb": directive.verb,
            "restored": restored,
            "lost": lost,
            "kept": kept,
            "text": text,
        },
        text=text,
    )


def _outcome_text(restored: list[str], lost: list[str]) -> str:
    parts = []
    if restored:
        parts += [t("agents.restored"), *restored]
    if lost:
        parts += [t("agents.not_restored"), *lost]
    return "\n".join(parts) or t("board.nothing_changed")
