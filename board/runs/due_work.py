"""Conditions under which a beat of an agent finds work."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select

from guardia.board.core.model import Task
from guardia.board.runs import claiming, goal_work
from guardia.board.runs.claiming import CHECK_TASKS, ROLLBACK_TASKS
from guardia.org.model import Agent


def has_rollback() -> ColumnElement[bool]:
    """Return whether a row of `Agent` has a rollback to do by a person's directive."""
    undo = select(Task.task_id).where(
        Task.agent_id == Agent.agent_id, Task.task_id.in_(ROLLBACK_TASKS)
    )
    return undo.exists()


def has_checks() -> ColumnElement[bool]:
    """Return whether a row of `Agent` has pre-checks of people's plans to run."""
    checks = select(Task.task_id).where(
        Task.agent_id == Agent.agent_id, Task.task_id.in_(CHECK_TASKS)
    )
    return checks.exists()


def has_work() -> ColumnElement[bool]:
    """Return whether a row of `Agent` has work: one lookup over small indexes."""
    goal = and_(Agent.duty == "dispatch", goal_work.has_goal_work())
    return or_(
        Agent.duty == "audit",
        claiming.has_claimable_task(Agent.agent_id),
        has_rollback(),
        has_checks(),
        goal,
    )
