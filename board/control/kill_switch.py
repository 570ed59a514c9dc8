"""Kill switch: stop and undo all work, and block new work until a person releases it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import kill_report
from guardia.board.control.kill_report import StoppedTask
from guardia.board.control.rollback import create_directive, record_directive
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Directive, KillSwitchActivation, Task
from guardia.board.core.outbox import schedule_checkpoint, send
from guardia.board.core.reasons import require_reason
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.runs.claiming import CLAIMABLE_STATES, ROLLBACK_TASKS
from guardia.errors import Invalid, Stale
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import MAX_REASON, trim

_AGENT_STATES = (*CLAIMABLE_STATES, State.PENDING_APPROVAL)


@dataclass(frozen=True, slots=True)
class KillResult:
    """Result of activating the switch."""

    kill_id: int
    stopped: int
    """Number of running tasks taken from their agents."""
    undoing: int
    """Number of those that may have changed something and are being undone."""
    already_on: bool = False
    """Whether the switch was on before; nothing was changed then."""


def kill(board: BoardContext, by: PersonInfo | Actor, reason: str = "") -> KillResult:
    """Stop all work now; no effect if the switch is on already.

    A worker signs the audit log afterwards: the stop neither waits for the signature nor fails
    because of it.
    """
    if isinstance(by, PersonInfo):
        require_permission(by, "control.kill")
    actor = Actor.of(by) if isinstance(by, PersonInfo) else by
    with board.database.transaction() as session:
        return _kill(session, actor, trim(reason, MAX_REASON), "", board.clock())


def _kill(
    session: Session, by: Actor, reason: str, room: str, now: datetime, account: str = ""
) -> KillResult:
    session.execute(select(func.hold_kill_switch()))
    before = session.scalar(
        select(KillSwitchActivation).where(KillSwitchActivation.released_at.is_(None))
    )
    if before is not None:
        return KillResult(before.kill_id, 0, 0, already_on=True)
    activation = KillSwitchActivation(ordered_by=str(by), reason=reason, room=room, ordered_at=now)
    session.add(activation)
    session.flush()
    running = _fence_all(session, activation.kill_id)
    undo = [task for task in running if task.status == State.IN_PROGRESS]
    directives = [
        create_directive(
            session, task, "kill", by, reason, now, undo=task in undo, kill_id=activation.kill_id
        )
        for task in running
    ]
    send(session, "alert", _alert_text(by, reason, running), now, sr_id=None)
    schedule_checkpoint(session)
    _log_activation(session, activation, by, running, now, account)
    for task, directive in zip(running, directives, strict=True):
        record_directive(session, directive, by, now, task.target_server)
    kill_report.send_report_if_complete(session, activation.kill_id, now)
    return KillResult(activation.kill_id, len(running), len(undo))


def _fence_all(session: Session, kill_id: int) -> list[Task]:
    """Raise the fences of all open tasks; return those that were running.

    A rollback that is already running continues and is included in the report.
    """
    session.execute(update(Directive).where(Directive.state == "UNDOING").values(kill_id=kill_id))
    stoppable = (Task.status.in_(_AGENT_STATES), Task.task_id.not_in(ROLLBACK_TASKS))
    is_running = or_(Task.status == State.IN_PROGRESS, Task.run_id.is_not(None))
    running = session.scalars(
        select(Task)
        .where(*stoppable, is_running)
        .order_by(Task.task_id)
        .with_for_update(key_share=True)
    ).all()
    session.execute(
        update(Task)
        .where(*stoppable, Task.task_id.not_in([task.task_id for task in running]))
        .values(fence=Task.fence + 1, run_id=None)
        .execution_options(synchronize_session=False)
    )
    return list(running)


def _alert_text(by: Actor, reason: str, running: list[Task]) -> str:
    return t("board.killed", who=by.label, reason=reason or "-", tasks=len(running))


def _log_activation(
    session: Session,
    activation: KillSwitchActivation,
    by: Actor,
    running: list[Task],
    now: datetime,
    account: str,
) -> None:
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
            "account": account,
            "tasks": [task.task_id for task in running],
            "states": dict(Counter(task.status for task in running)),
        },
        who=by.label,
        reason=activation.reason or "-",
        tasks=len(running),
    )


def release(
    board: BoardContext, person: PersonInfo, reason: str, *, kill_id: int | None = None
) -> None:
    """Release the switch and wake every agent with claimable work.

    Needs permission and a reason. Signs a checkpoint first: raises `Refused` if the audit log was
    rewritten, and `Stale` if the switch is on for another activation than the one with `kill_id`.
    """
    require_permission(person, "control.release")
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
