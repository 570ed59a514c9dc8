"""Kill switch: stop and undo all work, and block new work until a person releases it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import emergency, kill_report
from guardia.board.control.kill_report import StoppedTask
from guardia.board.control.kill_result import KillResult
from guardia.board.control.rollback import create_directive, record_directive
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.local_stop import DAMAGED, StopOrder
from guardia.board.core.model import Directive, KillSwitchActivation, Task
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import schedule_checkpoint, send
from guardia.board.core.reasons import require_reason
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.runs.claiming import CLAIMABLE_STATES, ROLLBACK_TASKS
from guardia.db.engine import database_time, repeat_on_conflict
from guardia.errors import Invalid, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_AGENT_STATES = (*CLAIMABLE_STATES, State.PENDING_APPROVAL)


def kill(board: BoardContext, by: PersonInfo | Actor, reason: str = "") -> KillResult:
    """Stop all work now; no effect if the switch is on already.

    If the board does not accept it at once, the workers of this host are stopped without it, and
    the board is informed later. A worker signs the audit log afterwards: the stop neither
    waits for the signature nor fails because of it.
    """
    if isinstance(by, PersonInfo):
        require_permission(by, "control.kill")
    order = StopOrder.of(Actor.of(by) if isinstance(by, PersonInfo) else by, reason)
    return emergency.stop(board, order, lambda: record(board, order))


@repeat_on_conflict
def record(board: BoardContext, order: StopOrder) -> KillResult:
    """Turn the board's switch on for an order, at most once."""
    with board.database.transaction() as session:
        result = activate(session, order)
    kill_report.send_due_reports(board)
    return result


def record_pending(board: BoardContext) -> bool:
    """Write to the board what was pressed while it could not be reached; return whether any was.

    Raises what the database raises if it is still unreachable.
    """
    local = board.local_stop
    orders = local.pending() if local else []
    for order in orders:
        record(board, order)
    if local and orders:
        local.settle(orders)
    return bool(orders)


def activate(session: Session, order: StopOrder) -> KillResult:
    """Turn the switch on within a transaction; no effect if it is on, or was on for this order."""
    session.execute(select(func.hold_kill_switch()))
    order_id = None if order is DAMAGED else order.order_id
    known = or_(
        KillSwitchActivation.released_at.is_(None), KillSwitchActivation.order_id == order_id
    )
    before = session.scalar(select(KillSwitchActivation).where(known).limit(1))
    if before is not None:
        return _known(session, before, order)
    now, by = database_time(session), order.actor
    activation = KillSwitchActivation(
        ordered_by=str(by),
        reason=order.reason,
        room=order.room,
        ordered_at=now,
        order_id=order_id,
    )
    session.add(activation)
    session.flush()
    running = _fence_all(session, activation.kill_id)
    undo = [task for task in running if task.status == State.IN_PROGRESS]
    directives = [
        create_directive(
            session,
            task,
            "kill",
            by,
            order.reason,
            now,
            undo=task in undo,
            kill_id=activation.kill_id,
        )
        for task in running
    ]
    send(
        session,
        "alert",
        _alert_text(by, order.reason, running),
        now,
        sr_id=None,
        notice=NoticeKind.KILL_SWITCH,
    )
    schedule_checkpoint(session)
    _log_activation(session, activation, order, running, now)
    for task, directive in zip(running, directives, strict=True):
        record_directive(session, directive, by, now, task.target_server)
    return KillResult(activation.kill_id, len(running), len(undo))


def _known(session: Session, before: KillSwitchActivation, order: StopOrder) -> KillResult:
    """Return the result of an earlier activation: its own, if it was for the same order."""
    if before.order_id != order.order_id:
        return KillResult(before.kill_id, 0, 0, already_on=True)
    found = select(Directive.ended_at.is_(None)).where(Directive.kill_id == before.kill_id)
    undoing = session.scalars(found).all()
    return KillResult(before.kill_id, len(undoing), sum(undoing))


def _fence_all(session: Session, kill_id: int) -> list[Task]:
    """Raise the fences of all open tasks; return those that were running.

    A rollback that is already running continues and is included in the report. Rows are locked in
    the order of their ids: many transactions lock several tasks.
    """
    is_running = or_(Task.status == State.IN_PROGRESS, Task.run_id.is_not(None))
    locked = session.execute(
        select(Task.task_id, is_running)
        .where(Task.status.in_(_AGENT_STATES), Task.task_id.not_in(ROLLBACK_TASKS))
        .order_by(Task.task_id)
        .with_for_update(key_share=True)
    ).all()
    waiting = [task_id for task_id, runs in locked if not runs]
    session.execute(
        update(Task)
        .where(Task.task_id.in_(waiting))
        .values(fence=Task.fence + 1, run_id=None)
        .execution_options(synchronize_session=False)
    )
    undoing = session.scalars(
        select(Directive.directive_id)
        .where(Directive.state == "UNDOING")
        .order_by(Directive.directive_id)
        .with_for_update()
    ).all()
    session.execute(
        update(Directive).where(Directive.directive_id.in_(undoing)).values(kill_id=kill_id)
    )
    running = [task_id for task_id, runs in locked if runs]
    return list(
        session.scalars(select(Task).where(Task.task_id.in_(running)).order_by(Task.task_id))
    )


def _alert_text(by: Actor, reason: str, running: list[Task]) -> str:
    return t("board.killed", who=by.label, reason=reason or "-", tasks=len(running))


def _log_activation(
    session: Session,
    activation: KillSwitchActivation,
    order: StopOrder,
    running: list[Task],
    now: datetime,
) -> None:
    by = order.actor
    log.append(
        session,
        EntryKind.KILLED,
        actor=str(by),
        now=now,
        detail={
            "kill": activation.kill_id,
            "reason": activation.reason,
            "room": activation.room,
            "sender": by.label,
            "account": order.account,
            "pressed_at": order.pressed_at,
            "tasks": [task.task_id for task in running],
            "states": dict(Counter(task.status for task in running)),
        },
        who=by.label,
        reason=activation.reason or "-",
        tasks=len(running),
    )


@repeat_on_conflict
def release(
    board: BoardContext, person: PersonInfo, reason: str, *, kill_id: int | None = None
) -> None:
    """Release the switch and wake every agent with claimable work.

    Needs permission and a reason. Signs a checkpoint first: raises `Refused` if the audit log was
    rewritten, and `Stale` if the switch is on for another activation than the one with `kill_id`.
    What was pressed on this host and not written yet is written first.
    """
    require_permission(person, "control.release")
    record_pending(board)
    text, now = require_reason(reason, "board.release_reason"), board.clock()
    board.sign_checkpoint()
    by = Actor.of(person)
    with board.database.transaction() as session:
        session.execute(select(func.hold_kill_switch()))
        activation = session.scalar(
            select(KillSwitchActivation).where(KillSwitchActivation.released_at.is_(None))
        )
        if activation is None:
            raise Invalid(what=t("board.switch"), why=t("board.switch_off"))
        if kill_id not in (None, activation.kill_id):
            raise Stale(what=t("board.switch"))
        activation.released_by, activation.release_reason, activation.released_at = (
            str(by),
            text,
            now,
        )
        session.flush()
        agents = select(Task.agent_id).where(
            Task.status.in_(CLAIMABLE_STATES), ~Task.paused, Task.agent_id.is_not(None)
        )
        for agent_id in session.scalars(agents.distinct().order_by(Task.agent_id)).all():
            wake(
                session, str(agent_id), WakeReason.RELEASED, now, cause={"kill": activation.kill_id}
            )
        send(session, "alert", t("board.released", who=by.label, reason=text), now, sr_id=None)
        log.append(
            session,
            EntryKind.RELEASED,
            actor=str(by),
            now=now,
            detail={"kill": activation.kill_id, "reason": text},
            who=by.label,
            reason=text,
        )


def stopped_tasks(board: BoardContext, kill_id: int) -> list[StoppedTask]:
    """Return the tasks that an activation has stopped, with their present outcome."""
    with board.database.reading() as session:
        return kill_report.stopped_tasks(session, kill_id)
