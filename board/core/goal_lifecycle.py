"""The lifecycle of a goal: one pure table ``(GoalState, GoalMove) -> GoalState``, who may make a
move, and what its issues say of its progress.

``board.desk`` only looks moves up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, State


class GoalState(StrEnum):
    """Where a goal stands."""

    GIVEN = "GIVEN"
    """Its agent has still to break it down."""
    ASKED = "ASKED"
    """Nothing of it is clear enough to be planned: a person must say more."""
    PLANNED = "PLANNED"
    """A plan of issues waits for the board."""
    ACTIVE = "ACTIVE"
    """Its issues are received and worked on."""
    ACHIEVED = "ACHIEVED"
    DROPPED = "DROPPED"


class GoalMove(StrEnum):
    """What can happen to a goal."""

    ASK = "ask"
    PLAN = "plan"
    ANSWER = "answer"
    APPROVE = "approve"
    ACHIEVE = "achieve"
    DROP = "drop"


_S, _M = GoalState, GoalMove
OPEN_GOAL_STATES = frozenset((_S.GIVEN, _S.ASKED, _S.PLANNED, _S.ACTIVE))
"""States in which something is still to be done."""

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
        # An agent only where every issue is completed; a person may call it done with a reason.
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
"""The state of the goal's own issue, which has no tasks; a trigger holds both together."""


@dataclass(frozen=True, slots=True)
class GoalProgress:
    """How far a goal's issues are."""

    done: int = 0
    open: int = 0
    failed: int = 0
    """Ended otherwise than completed: undone, rejected, aborted."""

    @property
    def total(self) -> int:
        """All its issues."""
        return self.done + self.open + self.failed

    @property
    def percent(self) -> int:
        """Of what is completed, rounded down: 100 only when all is."""
        return 100 * self.done // self.total if self.total else 0


def next_goal_state(state: GoalState, move: GoalMove, actor: ActorKind) -> GoalState | None:
    """The state that follows, or ``None`` where this actor has no such move from here."""
    return GOAL_TRANSITIONS.get((state, move)) if actor in GOAL_MOVE_ACTORS[move] else None


def count_progress(counts: Mapping[State, int]) -> GoalProgress:
    """From the number of issues in each state."""
    done = counts.get(State.COMPLETED, 0)
    waiting = sum(n for state, n in counts.items() if state in OPEN_STATES)
    return GoalProgress(done, waiting, sum(counts.values()) - done - waiting)


def is_reached(progress: GoalProgress) -> bool:
    """Whether a goal's agent may call it achieved: there are issues, and all are completed."""
    return progress.total > 0 and progress.done == progress.total
