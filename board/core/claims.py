"""TODO."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.goal_model import Goal
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lookup import get_task, lock_task
from guardia.board.core.model import Task
from guardia.errors import Stale


@dataclass(frozen=True, slots=True)
class Claim:
    """An agent's claim on a task; worth something only while the task's fence is still this."""

    task_id: int
    sr_id: int
    agent_id: str
    run_id: int
    fence: int

    @property
    def actor(self) -> Actor:
        """The agent that holds it."""
        return Actor.agent(self.agent_id)


@dataclass(frozen=True, slots=True)
class GoalClaim:
    """An agent's claim on a goal; worth something only while its fence is still this."""

    sr_id: int
    agent_id: str
    run_id: int
    fence: int

    @property
    def actor(self) -> Actor:
        """The agent that holds it."""
        return Actor.agent(self.agent_id)

    @property
    def task_id(self) -> None:
        """A goal has no task."""
        return None


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to run exactly one plan, or reads only where ``plan_hash`` is ``None``.

    Only the desk makes grants, and every use is checked against the tables again, so a grant
    made elsewhere opens nothing.
    """

    claim: Claim
    server_id: str
    category: str
    plan_hash: str | None
    directive_id: int | None = None
    """The person's directive that this grant obeys: it undoes and reads, also under the switch."""


def claimed_task(session: Session, claim: Claim) -> Task:
    """The task of a hold, locked; ``Stale`` where someone has claimed or decided since."""
    return _require_current(lock_task(session, claim.task_id), claim)


def read_claimed_task(session: Session, claim: Claim) -> Task:
    """Return the claimed task without a lock, for reads. Raises `Stale` like `claimed_task`."""
    return _require_current(get_task(session, claim.task_id), claim)


def _require_current(task: Task, claim: Claim) -> Task:
    if (task.fence, task.run_id) != (claim.fence, claim.run_id):
        raise Stale(what=issue_ref(claim.sr_id))
    return task


def claimed_goal(session: Session, claim: GoalClaim) -> Goal:
    """The goal of a hold, locked; ``Stale`` where someone has claimed or decided since."""
    query = select(Goal).where(Goal.sr_id == claim.sr_id)
    goal = session.scalar(query.with_for_update(key_share=True))
    if goal is None or (goal.fence, goal.run_id) != (claim.fence, claim.run_id):
        raise Stale(what=issue_ref(claim.sr_id))
    return goal


def lock_claim(session: Session, claim: Claim | GoalClaim) -> None:
    """``Stale`` unless the hold is still worth something, until this transaction ends."""
    if isinstance(claim, GoalClaim):
        claimed_goal(session, claim)
    else:
        claimed_task(session, claim)
