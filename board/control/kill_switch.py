"""The kill switch: everything stops at once, is undone, and stays still until a person lifts it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import clean
from guardia.board.control import kill_report
from guardia.board.control.kill_report import Stopped
from guardia.board.control.undoing import Giver, place, record_order
from guardia.board.core.context import Desk
from guardia.board.core.kill_switch import Kill
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Directive, Task
from guardia.board.core.outbox import seal_soon, send
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.runs.claiming import UNDOING, WORKABLE
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.org.access import require
from guardia.org.directory import PersonName

_REASON = 1000
_AGENTS_TURN = (*WORKABLE, State.PENDING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Killed:
    """What one call of the switch did."""

    kill_id: int
    stopped: int
    """Tasks that were under way, now taken from their agents."""
    undoing: int
    """Those of them on which changes may have been made: they are being undone."""
    already: bool = False
    """The switch was on before; nothing was changed."""


def giver(by: PersonName | str) -> Giver:
    """A person, or ``operator:…``/``channel:…`` where nobody is signed in."""
    if isinstance(by, PersonName):
        return Giver(f"person:{by.id}", f"{by.name} {by.title}".strip())
    return Giver(by, by.partition(":")[2] or by)


def kill(desk: Desk, by: PersonName | str, reason: str = "") -> Killed:
    """Stop everything now; calling it again while it is on changes nothing.

    Nothing is signed before: a worker does so afterwards, and the stop neither waits for that
    nor fails by it.
    """
    if isinstance(by, PersonName):
        require(by, "control.kill")
    with desk.database.transaction() as session:
        return _kill(session, giver(by), clean(reason).strip()[:_REASON], "", desk.clock())


def _kill(
    session: Session, by: Giver, reason: str, room: str, now: datetime, account: str = ""
) -> Killed:
    session.execute(select(func.hold_kill_switch()))
    before = session.scalar(select(Kill).where(Kill.released_at.is_(None)))
    if before is not None:
        return Killed(before.kill_id, 0, 0, already=True)
    order = Kill(ordered_by=by.actor, reason=reason, room=room, ordered_at=now)
    session.add(order)
    session.flush()
    running = _take_all(session, order.kill_id)
    undo = [task for task in running if task.status == State.IN_PROGRESS]
    orders = [
        place(session, task, "kill", by, reason, now, undo=task in undo, kill_id=order.kill_id)
        for task in running
    ]
    send(session, "alert", _text(by, reason, running), now, sr_id=None)
    seal_soon(session)
    _record(session, order, by, running, now, account)
    for task, directive in zip(running, orders, strict=True):
        record_order(session, directive, by, now, task.target_server)
    kill_report.report_if_over(session, order.kill_id, now)
    return Killed(order.kill_id, len(running), len(undo))


def _take_all(session: Session, kill_id: int) -> list[Task]:
    """Raise the fences of all open tasks; returns those that were under way.

    What is already being undone on someone's order goes on with that, and into the report.
    """
    session.execute(update(Directive).where(Directive.state == "UNDOING").values(kill_id=kill_id))
    here = (Task.status.in_(_AGENTS_TURN), Task.task_id.not_in(UNDOING))
    under_way = or_(Task.status == State.IN_PROGRESS, Task.run_id.is_not(None))
    running = session.scalars(
        select(Task).where(*here, under_way).order_by(Task.task_id).with_for_update(key_share=True)
    ).all()
    session.execute(
        update(Task)
        .where(*here, Task.task_id.not_in([task.task_id for task in running]))
        .values(fence=Task.fence + 1, run_id=None)
        .execution_options(synchronize_session=False)
    )
    return list(running)


def _text(by: Giver, reason: str, running: list[Task]) -> str:
    return t("desk.killed", who=by.name, reason=reason or "-", tasks=len(running))


def _record(
    session: Session, order: Kill, by: Giver, running: list[Task], now: datetime, account: str
) -> None:
    log.append(
        session,
        "killed",
        actor=by.actor,
        now=now,
        detail={
            "kill": order.kill_id,
            "reason": order.reason,
            "room": order.room,
            "sender": by.name,
            "account": account,
            "tasks": [task.task_id for task in running],
            "states": dict(Counter(task.status for task in running)),
        },
        who=by.name,
        reason=order.reason or "-",
        tasks=len(running),
    )


def release(desk: Desk, person: PersonName, reason: str) -> None:
    """Lift the switch: the right role and a reason; every agent with work is woken.

    After a signed checkpoint: ``Refused`` where the record was rewritten.
    """
    require(person, "control.release")
    text, now = clean(reason).strip()[:_REASON], desk.clock()
    if not text:
        raise Missing(what=t("desk.release_reason"))
    desk.attest()
    by = giver(person)
    with desk.database.transaction() as session:
        session.execute(select(func.hold_kill_switch()))
        order = session.scalar(select(Kill).where(Kill.released_at.is_(None)))
        if order is None:
            raise Invalid(what=t("desk.switch"), why=t("desk.switch_off"))
        order.released_by, order.release_reason, order.released_at = by.actor, text, now
        session.flush()
        waiting = select(Task.agent_id).where(
            Task.status.in_(WORKABLE), ~Task.paused, Task.agent_id.is_not(None)
        )
        for agent_id in session.scalars(waiting.distinct().order_by(Task.agent_id)).all():
            wake(session, str(agent_id), Reason.RELEASED, now, cause={"kill": order.kill_id})
        send(session, "alert", t("desk.released", who=by.name, reason=text), now, sr_id=None)
        log.append(
            session,
            "released",
            actor=by.actor,
            now=now,
            detail={"kill": order.kill_id, "reason": text},
            who=by.name,
            reason=text,
        )


def report(desk: Desk, kill_id: int) -> list[Stopped]:
    """Everything that one stop has taken, with what became of it so far."""
    with desk.database.reading() as session:
        return kill_report.stopped_by(session, kill_id)
