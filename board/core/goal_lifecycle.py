"""Lifecycle of a goal: the table `(GoalState, GoalMove) -> GoalState`, who may make which move,
and the progress computed from its issues. No other module decides which state follows which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, State


class GoalState(StrEnum):
    """State of a goal."""

    GIVEN = "GIVEN"
    """Waits for its agent to break it down."""
    ASKED = "ASKED"
    """Too unclear to plan: waits for an answer of a person."""
    PLANNED = "PLANNED"
    """A plan of issues waits for approval."""
    ACTIVE = "ACTIVE"
    """Its issues are open and in progress."""
    ACHIEVED = "ACHIEVED"
    DROPPED = "DROPPED"


class GoalMove(StrEnum):
    """Moves of a goal between its states."""

    ASK = "ask"
    PLAN = "plan"
    ANSWER = "answer"
    APPROVE = "approve"
    ACHIEVE = "achieve"
    DROP = "drop"


_S, _M = GoalState, GoalMove
OPEN_GOAL_STATES = frozenset((_S.GIVEN, _S.ASKED, _S.PLANNED, _S.ACTIVE))
"""States in which work remains."""

GOAL_TRANSITIONS: MappingProxyType[tuple[GoalState, GoalMove], GoalState] = MappingProxyType(
    {
        (_S.GIVEN, _M.ASK): _S.ASKED,
        (_S.GIVEN, _M.PLAN): _S.PLANNED,
        (_S.ASKED, _M.ANSWER): _S.GIVEN,
        (_S.PLANNED, _M.ANSWER): _S.GIVEN,
        (_S.PLANNED, _M.APPROVE): _S.ACTIVE,
        (_S.ACTIVE, _M.ACHIEVE): _S.ACHIEVED,
        **{(state, _M.DROP): _S.DROPPED for state in OPEN_GOAL_STATES},
    }
)

_AGENT, _PERSON = frozenset({ActorKind.AGENT}), frozenset({ActorKind.PERSON})
GOAL_MOVE_ACTORS: MappingProxyType[GoalMove, frozenset[ActorKind]] = MappingProxyType(
    {
        _M.ASK: _AGENT,
        _M.PLAN: _AGENT,
        _M.ANSWER: _PERSON,
        _M.APPROVE: _PERSON,
        # An agent only if every issue is completed; a person may close the goal with a reason.
        _M.ACHIEVE: _AGENT | _PERSON,
        _M.DROP: _PERSON,
    }
)

ISSUE_STATE_OF: MappingProxyType[GoalState, State] = MappingProxyType(
    {
        _S.GIVEN: State.RECEIVED,
        _S.ASKED: State.RECEIVED,
        _S.PLANNED: State.PENDING_APPROVAL,
        _S.ACTIVE: State.IN_PROGRESS,
        _S.ACHIEVED: State.COMPLETED,
        _S.DROPPED: State.ABORTED,
    }
)
"""State of the goal's own issue, which has no tasks; a trigger keeps both in step."""


@dataclass(frozen=True, slots=True)
class GoalProgress:
    """Number of a goal's issues by result."""

    done: int = 0
    open: int = 0
    failed: int = 0
    """Ended without completion: undone, rejected or aborted."""

    @property
    def total(self) -> int:
        """Number of all its issues."""
        return self.done + self.open + self.failed

    @property
    def percent(self) -> int:
        """Percentage of completed issues, rounded down: 100 only if all are completed."""
        return 100 * self.done // self.total if self.total else 0


def next_goal_state(state: GoalState, move: GoalMove, actor: ActorKind) -> GoalState | None:
    """Return the next state, or `None` if this actor may not make the move in this state."""
    return GOAL_TRANSITIONS.get((state, move)) if actor in GOAL_MOVE_ACTORS[move] else None


def count_progress(counts: Mapping[State, int]) -> GoalProgress:
    """Compute the progress from the number of issues in each state."""
    done = counts.get(State.COMPLETED, 0)
    open_count = sum(n for state, n in counts.items() if state in OPEN_STATES)
    return GoalProgress(done, open_count, sum(counts.values()) - done - open_count)


def is_reached(progress: GoalProgress) -> bool:
    """Return whether a goal has issues and all of them are completed."""
    return progress.total > 0 and progress.done == progress.total
