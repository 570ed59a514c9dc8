"""Hand over open tasks, issues and wakes of a leaving agent to its superior.

The former agent's working memory of an issue goes with it; comments and plans stay where they
are. The fencing token increases, so no late write of the former agent succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.lookup import get_issue, lock_issues, lock_tasks
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import Wake
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.organization import agent_memory
from guardia.db.engine import repeat_on_conflict
from guardia.db.statement import Statement
from guardia.errors import Stale
from guardia.i18n import t_default
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent

_OPEN = [state.value for state in OPEN_STATES]
_ASSIGNABLE = Statement(
    select(Agent.state, Agent.title)
    .where(Agent.agent_id == bindparam("agent"))
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class AgentPosition:
    """An agent's place in the organization."""

    duty: str
    superior: str | None


@dataclass(frozen=True, slots=True)
class Reassignment:
    """A hand-over of one agent's work to another."""

    agent_id: str
    successor_id: str


def positions(session: Session) -> dict[str, AgentPosition]:
    """Return the current position of each agent."""
    query = select(Agent.agent_id, Agent.duty, Agent.reports_to).where(Agent.state != "fired")
    return {row.agent_id: AgentPosition(row.duty, row.reports_to) for row in session.execute(query)}


def plan_reassignments(old: Mapping[str, AgentPosition], chart: OrgChart) -> list[Reassignment]:
    """Return the hand-overs that a chart requires: of agents that are fired or change duty."""
    new = {a.id: AgentPosition(a.duty, a.reports_to) for a in chart.agents}
    leaving = [n for n, position in old.items() if n not in new or new[n].duty != position.duty]
    return [Reassignment(n, _successor(n, old, new)) for n in leaving if old[n].duty != "audit"]


def _successor(
    agent_id: str, old: Mapping[str, AgentPosition], new: Mapping[str, AgentPosition]
) -> str:
    """Return the nearest superior who stays and can take work, or the dispatcher."""
    step, seen = old[agent_id].superior, {agent_id}
    while step is not None and step not in seen:
        if step in new and new[step].duty != "audit":
            return step
        seen.add(step)
        step = old[step].superior if step in old else None
    return next(n for n, position in new.items() if position.duty == "dispatch")


def lock_work(session: Session, reassignments: Sequence[Reassignment]) -> None:
    """Lock everything that the hand-overs change, each table in the order of its ids.

    Wakes first, as a beat of these agents does that begins at the same moment.
    """
    leaving = [reassignment.agent_id for reassignment in reassignments]
    wakes = select(Wake.sr_id).where(Wake.agent_id.in_(leaving)).order_by(Wake.wake_id)
    named = set(session.scalars(wakes.with_for_update()).all())
    tasks = lock_tasks(session, and_(Task.agent_id.in_(leaving), Task.status.in_(_OPEN)))
    assigned = select(Issue.sr_id).where(Issue.agent_id.in_(leaving), Issue.status.in_(_OPEN))
    numbers = {*named, *(task.sr_id for task in tasks), *session.scalars(assigned)}
    lock_issues(session, {number for number in numbers if number is not None})


def reassign(session: Session, reassignment: Reassignment, actor: Actor, now: datetime) -> None:
    """Hand everything open over to the successor and wake it."""
    tasks = _reassign_tasks(session, reassignment)
    session.execute(
        update(Issue)
        .where(Issue.agent_id == reassignment.agent_id, Issue.status.in_(_OPEN))
        .values(agent_id=reassignment.successor_id)
    )
    # Reasons without an issue, such as its schedule, belong to the former agent only.
    reasons = session.execute(
        delete(Wake).where(Wake.agent_id == reassignment.agent_id).returning(Wake.sr_id)
    ).scalars()
    named = {sr_id for sr_id in reasons if sr_id is not None}
    note = t_default("notes.succeeded", agent=reassignment.agent_id)
    for sr_id in sorted({task.sr_id for task in tasks}):
        agent_memory.hand_over_notes(
            session, sr_id, reassignment.agent_id, reassignment.successor_id, actor, note, now
        )
    for sr_id in sorted(named | {task.sr_id for task in tasks}):
        cause = {"from": reassignment.agent_id}
        wake(
            session,
            reassignment.successor_id,
            WakeReason.ASSIGNMENT,
            now,
            sr_id,
            cause=cause,
            by=actor,
        )
        log.append(
            session,
            EntryKind.HANDED_ON,
            actor=str(actor),
            now=now,
            sr_id=sr_id,
            detail={
                "agent": reassignment.agent_id,
                "heir": reassignment.successor_id,
                "tasks": [task.task_id for task in tasks if task.sr_id == sr_id],
            },
            agent=reassignment.agent_id,
            heir=reassignment.successor_id,
        )


def _reassign_tasks(session: Session, reassignment: Reassignment) -> Sequence[Task]:
    mine = and_(Task.agent_id == reassignment.agent_id, Task.status.in_(_OPEN))
    tasks = lock_tasks(session, mine)
    for task in tasks:
        task.agent_id, task.run_id = reassignment.successor_id, None
        task.fence += 1
    session.flush()
    return tasks


def open_tasks(session: Session, agents: list[str]) -> dict[str, int]:
    """Return the number of open tasks of each of these agents."""
    rows = session.execute(
        select(Task.agent_id, func.count())
        .where(Task.agent_id.in_(agents), Task.status.in_(_OPEN))
        .group_by(Task.agent_id)
    )
    return {str(agent): count for agent, count in rows}


def require_assignable(session: Session, agent_id: str) -> str:
    """Return the title of an agent that can be assigned work, otherwise raise `Stale`.

    Locks it until commit, so that it cannot be fired.
    """
    found = _ASSIGNABLE.run(session, {"agent": agent_id}).fetchone()
    if found is None or found[0] not in {"active", "paused"}:
        raise Stale(what=agent_id)
    return str(found[1])


@repeat_on_conflict
def forward_task(board: BoardContext, claim: Claim, agent_id: str) -> None:
    """Pass an inherited task on to the agent that does such work."""
    now = board.clock()
    with board.database.transaction() as session:
        require_assignable(session, agent_id)
        task = claimed_task(session, claim)
        task.agent_id, task.run_id = agent_id, None
        task.fence += 1
        get_issue(session, claim.sr_id).agent_id = agent_id
        session.flush()
        author, cause = claim.actor, {"from": claim.agent_id}
        note = t_default("notes.passed_on", agent=claim.agent_id)
        agent_memory.hand_over_notes(
            session, claim.sr_id, claim.agent_id, agent_id, author, note, now
        )
        wake(session, agent_id, WakeReason.ASSIGNMENT, now, claim.sr_id, cause=cause, by=author)
        log.append(
            session,
            EntryKind.PASSED_ON,
            actor=str(author),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={"before": claim.agent_id, "agent": agent_id},
            before=claim.agent_id,
            agent=agent_id,
        )
