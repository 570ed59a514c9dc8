"""Beats on the board: taking the reasons, claiming a task, ending the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.desk import sums
from guardia.board.desk.core import Desk, Hold, stopped, wake
from guardia.board.lifecycle import State
from guardia.board.model import Directive, Issue, Run, Task, Tick, Wake
from guardia.db import jobs
from guardia.db.jobs import Attempt
from guardia.org.model import Agent

WORKABLE = (State.RECEIVED, State.PARSED, State.APPROVED, State.IN_PROGRESS)
"""States in which it is an agent's turn."""
UNDOING = select(Directive.task_id).where(Directive.state == "UNDOING")
"""Tasks that an agent has still to undo on a person's order."""


@dataclass(frozen=True, slots=True)
class Waking:
    """One beat that has begun."""

    run_id: int
    agent_id: str
    reasons: tuple[str, ...]
    issues: tuple[int, ...]
    """Issues that the reasons name, each once, in order."""


def begin(desk: Desk, agent_id: str, attempt: Attempt | None = None) -> Waking | None:
    """Take all waiting reasons of an agent as one beat; ``None`` where there are none.

    Coalesces: however many reasons wait, one beat takes them all. A paused agent keeps them.
    The queue gives one worker at a time its turn (``attempt``) at an agent's beats, so a run that
    never ended has died with its worker: it is closed as lost, and its reasons are taken again.
    ``None`` also for a worker that has lost its turn: that was paused, and taken for dead.
    """
    now = desk.clock()
    with desk.database.transaction() as session:
        if attempt is not None and not jobs.current(session, attempt):
            return None
        state = session.scalar(select(Agent.state).where(Agent.agent_id == agent_id))
        if state != "active":
            return None
        lost = _close_lost(session, agent_id, now)
        waiting = session.execute(
            select(Wake.wake_id, Wake.reason, Wake.sr_id)
            .where(Wake.agent_id == agent_id, Wake.run_id.is_(None))
            .order_by(Wake.wake_id)
            .with_for_update(skip_locked=True)
        ).all()
        if not waiting and not lost:
            return None
        reasons = tuple(dict.fromkeys(["recovery"] * bool(lost) + [w.reason for w in waiting]))
        run = Run(agent_id=agent_id, reasons=list(reasons), started_at=now)
        session.add(run)
        session.flush()
        session.execute(
            update(Wake)
            .where(Wake.wake_id.in_([w.wake_id for w in waiting]))
            .values(run_id=run.run_id)
        )
        issues = tuple(dict.fromkeys(w.sr_id for w in waiting if w.sr_id is not None))
        return Waking(run.run_id, agent_id, reasons, issues)


def _close_lost(session: Session, agent_id: str, now: datetime) -> bool:
    lost = session.scalars(
        update(Run)
        .where(Run.agent_id == agent_id, Run.ended_at.is_(None))
        .values(outcome="lost", ended_at=now)
        .returning(Run.run_id)
    ).all()
    if not lost:
        return False
    session.execute(update(Task).where(Task.run_id.in_(lost)).values(run_id=None))
    session.execute(update(Wake).where(Wake.run_id.in_(lost)).values(run_id=None))
    return True


def lasts(session: Session, waking: Waking) -> bool:
    """Whether a beat has not been closed as lost; nobody can until this transaction ends."""
    query = select(Run.ended_at.is_(None)).where(Run.run_id == waking.run_id)
    return bool(session.scalar(query.with_for_update(read=True)))


def claim(desk: Desk, waking: Waking, done: frozenset[int] = frozenset()) -> Hold | None:
    """Claim the agent's most urgent workable task atomically; ``None`` when there is none.

    The claim raises the fence, so whoever held the task before can write no more. Nothing is
    claimed while the kill switch is on, nor what people let rest or have ordered to be undone.
    """
    urgency = case((Issue.priority.is_(None), "P3"), else_=Issue.priority)
    with desk.database.transaction() as session:
        if stopped(session) or not lasts(session, waking):
            return None
        task = session.scalar(
            select(Task)
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(
                Task.agent_id == waking.agent_id,
                Task.status.in_(WORKABLE),
                Task.task_id.not_in(done),
                ~Task.paused,
                Task.task_id.not_in(UNDOING),
                # Approved now, run later.
                or_(Task.run_after.is_(None), Task.run_after <= desk.clock()),
            )
            .order_by(urgency, Task.task_id)
            .limit(1)
            # A person who is writing on it is awaited: a task that is passed over is forgotten.
            .with_for_update(of=Task, key_share=True)
        )
        if task is None:
            return None
        task.fence += 1
        task.run_id = waking.run_id
        return Hold(task.task_id, task.sr_id, waking.agent_id, waking.run_id, task.fence)


def end(desk: Desk, waking: Waking, outcome: str, *, task_id: int | None, steps: int) -> None:
    """Close a beat and let go of whatever it still holds; one that was lost stays so."""
    now = desk.clock()
    with desk.database.transaction() as session:
        begun = session.scalar(
            update(Run)
            .where(Run.run_id == waking.run_id, Run.ended_at.is_(None))
            .values(outcome=outcome, task_id=task_id, steps=steps, ended_at=now)
            .returning(Run.started_at)
        )
        session.execute(update(Task).where(Task.run_id == waking.run_id).values(run_id=None))
        if task_id is not None and begun is not None:
            # Wakings that found nothing to do are no cost.
            sums.add_run(session, waking.agent_id, task_id, begun, now)


def tick(desk: Desk, agent_id: str, moment: datetime, reason: str = "schedule") -> bool:
    """Wake an agent for one moment of its schedule; ``False`` where another host already has."""
    series = agent_id if reason == "schedule" else f"{agent_id}:{reason}"
    with desk.database.transaction() as session:
        first = session.scalar(
            insert(Tick)
            .values(agent_id=series, tick=moment)
            .on_conflict_do_nothing()
            .returning(Tick.agent_id)
        )
        if first is None:
            return False
        wake(session, agent_id, reason, desk.clock())
        return True


def hand_back(desk: Desk, agent_id: str) -> None:
    """Let another worker go on with what this agent has still to do: this one is closing."""
    with desk.database.transaction() as session:
        wake(session, agent_id, "recovery", desk.clock())


def rescue(desk: Desk, seconds: float) -> list[str]:
    """Queue again what dead workers had; the kinds of those jobs. See ``db.jobs.rescue``."""
    with desk.database.transaction() as session:
        return jobs.rescue(session, seconds)
