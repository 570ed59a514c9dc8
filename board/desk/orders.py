"""People's orders on tasks: putting them down, and how an agent obeys one that must be undone.

An order raises the task's fence, so nothing that an agent still has in flight can land after it;
a task on which changes may have been made is then undone by its agent under a grant of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board import audit
from guardia.board.chain import clean
from guardia.board.desk import stops
from guardia.board.desk.core import Desk, Grant, Hold, held, issue_of, move, reply, send, wake
from guardia.board.desk.waking import UNDOING, Waking, lasts
from guardia.board.desk.work import stored_plan
from guardia.board.lifecycle import Actor, Move, State
from guardia.board.model import Comment, Directive, Task
from guardia.board.plan import Category, Plan
from guardia.board.reasons import Reason
from guardia.errors import Stale
from guardia.i18n import t, t_record
from guardia.org import registry


@dataclass(frozen=True, slots=True)
class Order:
    """A task that an agent holds in order to undo it."""

    directive_id: int
    hold: Hold


@dataclass(frozen=True, slots=True)
class Giver:
    """Who gives an order."""

    actor: str
    """As the record names them: ``person:…``, ``operator:…`` or ``channel:…``."""
    name: str


def place(
    session: Session,
    task: Task,
    verb: str,
    giver: Giver,
    reason: str,
    now: datetime,
    *,
    undo: bool = False,
    kill_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> Directive:
    """Take a task from whoever holds it and write the order down; ``undo`` wakes its agent."""
    task.fence += 1
    task.run_id = None
    directive = Directive(
        task_id=task.task_id,
        sr_id=task.sr_id,
        kill_id=kill_id,
        verb=verb,
        detail=detail or {},
        ordered_by=giver.actor,
        reason=reason,
        found=task.status,
        state="UNDOING" if undo else "DONE",
        ordered_at=now,
        ended_at=None if undo else now,
    )
    session.add(directive)
    session.flush()
    if undo and task.agent_id:
        cause = {"directive": directive.directive_id, "verb": verb}
        wake(session, task.agent_id, Reason.ORDER, now, task.sr_id, cause=cause, by=giver.actor)
    return directive


def record_order(
    session: Session, directive: Directive, giver: Giver, now: datetime, server: str | None
) -> None:
    """The order's entry; announces it, so that every worker ends what runs for the task."""
    audit.append(
        session,
        "ordered",
        actor=giver.actor,
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
        who=giver.name,
        verb=t_record(f"desk.verb.{directive.verb}"),
        server=server or "-",
        reason=directive.reason or "-",
    )


def claim(desk: Desk, waking: Waking, done: frozenset[int] = frozenset()) -> Order | None:
    """Claim a task of this agent that is to be undone, also while the kill switch is on."""
    with desk.database.transaction() as session:
        if not lasts(session, waking):
            return None
        task = session.scalar(
            select(Task)
            .where(
                Task.agent_id == waking.agent_id,
                Task.task_id.in_(UNDOING),
                Task.task_id.not_in(done),
            )
            .order_by(Task.task_id)
            .limit(1)
            .with_for_update(of=Task, key_share=True)
        )
        directive = _undoing(session, task.task_id) if task else None
        if task is None or directive is None:
            return None
        task.fence += 1
        task.run_id = waking.run_id
        hold = Hold(task.task_id, task.sr_id, waking.agent_id, waking.run_id, task.fence)
        return Order(directive.directive_id, hold)


def _undoing(session: Session, task_id: int) -> Directive | None:
    query = select(Directive).where(Directive.task_id == task_id, Directive.state == "UNDOING")
    return session.scalar(query.with_for_update())


def grant(desk: Desk, order: Order) -> tuple[Grant, Plan]:
    """Permission to undo what the task's plan did, and to look at the server meanwhile."""
    with desk.database.transaction() as session:
        task = held(session, order.hold)
        plan = stored_plan(task)
        category = task.category or Category.READ_ONLY
        given = Grant(order.hold, plan.server, category, task.plan_hash, order.directive_id)
        return given, plan


def end(desk: Desk, order: Order, restored: list[str], lost: list[str]) -> State:
    """Close an order with what came of it; people and an alert where something is not restored."""
    now, hold = desk.clock(), order.hold
    with desk.database.transaction() as session:
        task = held(session, hold)
        directive = _undoing(session, hold.task_id)
        if directive is None or directive.directive_id != order.directive_id:
            raise Stale(what=f"SR-{hold.sr_id}")
        text = _text(restored, lost)
        step, actor = _ending(State(task.status), lost)
        state = move(session, task, step, actor=actor, now=now, run_id=None)
        _conclude(session, directive, text, now, whole=not lost)
        issue = issue_of(session, hold.sr_id)
        message = t(f"desk.{'not_restored' if lost else 'undone'}", sr=hold.sr_id, text=text)
        reply(session, issue, message, now)
        if lost or directive.verb != "kill":
            send(session, "alert", message, now, sr_id=hold.sr_id)
        for auditor in registry.auditors(session):
            cause = {"directive": directive.directive_id}
            wake(session, auditor, Reason.FINISHED, now, hold.sr_id, cause=cause)
        _record_end(session, order, directive, text, restored, lost, now)
        stops.report_if_over(session, directive.kill_id, now)
        return state


def _ending(state: State, lost: list[str]) -> tuple[Move, Actor]:
    if lost:
        return Move.HAND_OVER, Actor.AGENT
    if state is State.COMPLETED:
        return Move.UNDO, Actor.PERSON  # whose order this is
    return Move.FAIL, Actor.AGENT


def _conclude(
    session: Session, directive: Directive, text: str, now: datetime, *, whole: bool
) -> None:
    directive.state = "RESTORED" if whole else "NOT_RESTORED"
    directive.outcome, directive.ended_at = clean(text), now
    session.flush()


def let_go(session: Session, task: Task, text: str, now: datetime) -> None:
    """A person takes over what an agent was still undoing."""
    directive = _undoing(session, task.task_id)
    if directive is not None:
        _conclude(session, directive, text, now, whole=False)
        stops.report_if_over(session, directive.kill_id, now)


def _record_end(
    session: Session,
    order: Order,
    directive: Directive,
    text: str,
    restored: list[str],
    lost: list[str],
    now: datetime,
) -> None:
    hold, author = order.hold, f"agent:{order.hold.agent_id}"
    session.add(Comment(sr_id=hold.sr_id, author=author, body=clean(text), created_at=now))
    session.flush()
    audit.append(
        session,
        "not_restored" if lost else "undone",
        actor=author,
        now=now,
        sr_id=hold.sr_id,
        task_id=hold.task_id,
        detail={
            "directive": directive.directive_id,
            "verb": directive.verb,
            "restored": restored,
            "lost": lost,
            "text": text,
        },
        text=text,
    )


def _text(restored: list[str], lost: list[str]) -> str:
    parts = []
    if restored:
        parts += [t("agents.restored"), *restored]
    if lost:
        parts += [t("agents.not_restored"), *lost]
    return "\n".join(parts) or t("desk.nothing_changed")
