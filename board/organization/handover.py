"""Who goes hands on: open tasks, issues and reasons to wake pass to the superior, without a lock.

What the former agent noted of an issue goes with it; comments and plans stay where they are. The
fence rises, so nothing that the former agent still has in flight can land.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.core.claims import Hold, held
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import OPEN
from guardia.board.core.lookup import issue_of
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import Wake
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.organization import agent_memory
from guardia.errors import Stale
from guardia.i18n import t_record
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent

_OPEN = [state.value for state in OPEN]


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent's place in the organization."""

    duty: str
    superior: str | None


@dataclass(frozen=True, slots=True)
class Handing:
    """One agent's work on its way to another."""

    agent_id: str
    heir_id: str


def seats(session: Session) -> dict[str, Seat]:
    """Who sits where now."""
    query = select(Agent.agent_id, Agent.duty, Agent.reports_to).where(Agent.state != "fired")
    return {row.agent_id: Seat(row.duty, row.reports_to) for row in session.execute(query)}


def handings(old: Mapping[str, Seat], chart: OrgChart) -> list[Handing]:
    """Whose work must go where under a chart: of agents that are fired or given another duty."""
    new = {a.id: Seat(a.duty, a.reports_to) for a in chart.agents}
    leaving = [n for n, seat in old.items() if n not in new or new[n].duty != seat.duty]
    return [Handing(n, _heir(n, old, new)) for n in leaving if old[n].duty != "audit"]


def _heir(agent_id: str, old: Mapping[str, Seat], new: Mapping[str, Seat]) -> str:
    """The nearest superior who stays and can have work, else the dispatcher."""
    step, seen = old[agent_id].superior, {agent_id}
    while step is not None and step not in seen:
        if step in new and new[step].duty != "audit":
            return step
        seen.add(step)
        step = old[step].superior if step in old else None
    return next(n for n, seat in new.items() if seat.duty == "dispatch")


def hand_on(session: Session, handing: Handing, actor: str, now: datetime) -> None:
    """Pass everything open to the heir, and wake it."""
    tasks = _pass_tasks(session, handing)
    session.execute(
        update(Issue)
        .where(Issue.agent_id == handing.agent_id, Issue.status.in_(_OPEN))
        .values(agent_id=handing.heir_id)
    )
    # Reasons that name no issue, as its schedule, were the former agent's own.
    reasons = session.execute(
        delete(Wake).where(Wake.agent_id == handing.agent_id).returning(Wake.sr_id)
    ).scalars()
    named = {sr_id for sr_id in reasons if sr_id is not None}
    told = t_record("notes.succeeded", agent=handing.agent_id)
    for sr_id in sorted({task.sr_id for task in tasks}):
        agent_memory.pass_on(session, sr_id, handing.agent_id, handing.heir_id, actor, told, now)
    for sr_id in sorted(named | {task.sr_id for task in tasks}):
        cause = {"from": handing.agent_id}
        wake(session, handing.heir_id, Reason.ASSIGNMENT, now, sr_id, cause=cause, by=actor)
        log.append(
            session,
            "handed_on",
            actor=actor,
            now=now,
            sr_id=sr_id,
            detail={
                "agent": handing.agent_id,
                "heir": handing.heir_id,
                "tasks": [task.task_id for task in tasks if task.sr_id == sr_id],
            },
            agent=handing.agent_id,
            heir=handing.heir_id,
        )


def _pass_tasks(session: Session, handing: Handing) -> Sequence[Task]:
    tasks = session.scalars(
        select(Task)
        .where(Task.agent_id == handing.agent_id, Task.status.in_(_OPEN))
        .order_by(Task.task_id)
        .with_for_update(key_share=True)
    ).all()
    for task in tasks:
        task.agent_id, task.run_id = handing.heir_id, None
        task.fence += 1
    session.flush()
    return tasks


def open_tasks(session: Session, agents: list[str]) -> dict[str, int]:
    """How many open tasks each of these agents has."""
    rows = session.execute(
        select(Task.agent_id, func.count())
        .where(Task.agent_id.in_(agents), Task.status.in_(_OPEN))
        .group_by(Task.agent_id)
    )
    return {str(agent): count for agent, count in rows}


def require_seat(session: Session, agent_id: str) -> None:
    """``Stale`` unless the agent is there to be given work; it cannot be fired until we commit."""
    query = select(Agent.state).where(Agent.agent_id == agent_id).with_for_update(read=True)
    if session.scalar(query) not in {"active", "paused"}:
        raise Stale(what=agent_id)


def pass_on(desk: Desk, hold: Hold, agent_id: str) -> None:
    """Give a task that the holder has inherited to the agent who does such work."""
    now = desk.clock()
    with desk.database.transaction() as session:
        require_seat(session, agent_id)
        task = held(session, hold)
        task.agent_id, task.run_id = agent_id, None
        task.fence += 1
        issue_of(session, hold.sr_id).agent_id = agent_id
        session.flush()
        author, cause = f"agent:{hold.agent_id}", {"from": hold.agent_id}
        told = t_record("notes.passed_on", agent=hold.agent_id)
        agent_memory.pass_on(session, hold.sr_id, hold.agent_id, agent_id, author, told, now)
        wake(session, agent_id, Reason.ASSIGNMENT, now, hold.sr_id, cause=cause, by=author)
        log.append(
            session,
            "passed_on",
            actor=author,
            now=now,
            sr_id=hold.sr_id,
            task_id=hold.task_id,
            detail={"before": hold.agent_id, "agent": agent_id},
            before=hold.agent_id,
            agent=agent_id,
        )
