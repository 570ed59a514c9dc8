"""Whether a goal gives its agent something to do: conditions that a beat's one look can carry."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from guardia.board.goal import GoalState
from guardia.board.goal_model import Goal
from guardia.board.lifecycle import OPEN, State
from guardia.board.model import Issue

_OPEN = sorted(s.value for s in OPEN)


def to_review() -> ColumnElement[bool]:
    """All issues of a row of ``Goal`` have ended, and nobody has said yet what follows."""
    child = aliased(Issue)
    children = select(child.sr_id).where(child.goal_id == Goal.sr_id)
    still_open = children.where(child.status.in_(_OPEN)).exists()
    not_done = children.where(child.status != State.COMPLETED).exists()
    return and_(
        Goal.state == GoalState.ACTIVE,
        children.exists(),
        ~still_open,
        or_(Goal.stuck_at.is_(None), ~not_done),
    )


def waiting() -> ColumnElement[bool]:
    """Whether a goal waits for the head: to be broken down, or to be looked at."""
    return select(Goal.sr_id).where(or_(Goal.state == GoalState.GIVEN, to_review())).exists()
