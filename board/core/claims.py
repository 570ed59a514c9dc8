"""Claims of agents on tasks and goals, grants, and the checks that they are still current."""

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
    """A claim on a task. Valid only while `fence` equals the task's fencing token."""

    task_id: int
    sr_id: int
    agent_id: str
    run_id: int
    fence: int

    @property
    def actor(self) -> Actor:
        """The agent that made the claim."""
        return Actor.agent(self.agent_id)


@dataclass(frozen=True, slots=True)
class GoalClaim:
    """A claim on a goal. Valid only while `fence` equals the goal's fencing token."""

    sr_id: int
    agent_id: str
    run_id: int
    fence: int

    @property
    def actor(self) -> Actor:
        """The agent that made the claim."""
        return Actor.agent(self.agent_id)

    @property
    def task_id(self) -> None:
        """Always `None`: a goal has no task."""
        return None


@dataclass(frozen=True, slots=True)
class QuestionClaim:
    """An agent that only answers a question: it has no task, and nothing to be overtaken by."""

    agent_id: str

    @property
    def sr_id(self) -> None:
        """Always `None`: a question has no issue."""
        return None

    @property
    def task_id(self) -> None:
        """Always `None`: a question has no task."""
        return None

    @property
    def run_id(self) -> None:
        """Always `None`: a question is no beat."""
        return None


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to run exactly one plan, or only reads if `plan_hash` is `None`.

    Every use is checked against the tables again, so a forged grant permits nothing.
    """

    claim: Claim
    server_id: str
    category: str
    plan_hash: str | None
    directive_id: int | None = None
    """The directive behind a rollback grant: it permits undo and reads, even if the kill switch is
    on."""


def claimed_task(session: Session, claim: Claim) -> Task:
    """Lock and return the claimed task. Raises `Stale` if it was reclaimed or overridden."""
    return _require_current(lock_task(session, claim.task_id), claim)


def read_claimed_task(session: Session, claim: Claim) -> Task:
    """Return the claimed task without a lock, for reads. Raises `Stale` like `claimed_task`."""
    return _require_current(get_task(session, claim.task_id), claim)


def _require_current(task: Task, claim: Claim) -> Task:
    if (task.fence, task.run_id) != (claim.fence, claim.run_id):
        raise Stale(what=issue_ref(claim.sr_id))
    return task


def claimed_goal(session: Session, claim: GoalClaim) -> Goal:
    """Lock and return the claimed goal. Raises `Stale` if it was reclaimed or overridden."""
    query = select(Goal).where(Goal.sr_id == claim.sr_id)
    goal = session.scalar(query.with_for_update(key_share=True))
    if goal is None or (goal.fence, goal.run_id) != (claim.fence, claim.run_id):
        raise Stale(what=issue_ref(claim.sr_id))
    return goal


def lock_claim(session: Session, claim: Claim | GoalClaim | QuestionClaim) -> None:
    """Keep a claim valid until this transaction ends. Raises `Stale` if it no longer is."""
    if isinstance(claim, GoalClaim):
        claimed_goal(session, claim)
    elif isinstance(claim, Claim):
        claimed_task(session, claim)
