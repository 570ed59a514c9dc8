"""Conditions for goals that need work, composed into a beat's single lookup."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from guardia.board.core.goal_lifecycle import GoalState
from guardia.board.core.goal_model import Goal
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue
from guardia.db.statement import constant

_OPEN = [constant(value) for value in sorted(s.value for s in OPEN_STATES)]


def needs_review() -> ColumnElement[bool]:
    """Return whether all issues of a row of `Goal` have ended without a review."""
    child = aliased(Issue)
    # One of each kind instead of "exists", which the planner may answer by reading all issues.
    children = select(child.sr_id).where(child.goal_id == Goal.sr_id).limit(1)
    still_open = children.where(child.status.in_(_OPEN)).scalar_subquery()
    not_done = children.where(child.status != State.COMPLETED).scalar_subquery()
    return and_(
        _in_state(GoalState.ACTIVE),
        still_open.is_(None),
        children.scalar_subquery().is_not(None),
        or_(Goal.stuck_at.is_(None), not_done.is_(None)),
    )


def has_goal_work() -> ColumnElement[bool]:
    """Return whether a goal waits to be planned or reviewed."""
    return select(Goal.sr_id).where(or_(_in_state(GoalState.GIVEN), needs_review())).exists()


def _in_state(state: GoalState) -> ColumnElement[bool]:
    # As a constant, so that the planner can use the partial index in a prepared statement.
    return Goal.state == constant(state.value)
