"""Lifecycle of a task: the table `(State, Move) -> State`, and who may make which move.

No other module decides which state follows which.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """State of a task."""

    RECEIVED = "RECEIVED"
    PARSED = "PARSED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    IN_PROGRESS = "IN_PROGRESS"
    MANUAL = "MANUAL"
    COMPLETED = "COMPLETED"
    FAILED_ROLLBACK = "FAILED_ROLLBACK"
    ROLLED_BACK = "ROLLED_BACK"
    REJECTED = "REJECTED"
    ABORTED = "ABORTED"


class Move(StrEnum):
    """Moves of a task between its states."""

    PARSE = "parse"
    ASK = "ask"
    WAIVE = "waive"
    APPROVE = "approve"
    REJECT = "reject"
    START = "start"
    COMPLETE = "complete"
    FAIL = "fail"
    UNDO = "undo"
    ABORT = "abort"
    HAND_OVER = "hand_over"
    RETURN = "return"
    REOPEN = "reopen"
    FOLLOW = "follow"
    """A further report of an incident ends with the issue that repaired it."""


class ActorKind(StrEnum):
    """Kind of an actor; agents and people make moves, the system those in `SYSTEM_MOVES`."""

    AGENT = "agent"
    PERSON = "person"
    CHANNEL = "channel"
    OPERATOR = "operator"
    SYSTEM = "system"


_S, _M = State, Move
_BEFORE_WORK = (_S.RECEIVED, _S.PARSED, _S.PENDING_APPROVAL, _S.APPROVED)
ENDED_STATES = (_S.COMPLETED, _S.FAILED_ROLLBACK, _S.ROLLED_BACK, _S.REJECTED, _S.ABORTED)
"""States in which a task has ended; people can reopen it."""

TRANSITIONS: MappingProxyType[tuple[State, Move], State] = MappingProxyType(
    {
        (_S.RECEIVED, _M.PARSE): _S.PARSED,
        (_S.PARSED, _M.ASK): _S.PENDING_APPROVAL,
        (_S.PARSED, _M.WAIVE): _S.APPROVED,
        (_S.PENDING_APPROVAL, _M.APPROVE): _S.APPROVED,
        (_S.PENDING_APPROVAL, _M.REJECT): _S.REJECTED,
        (_S.RECEIVED, _M.REJECT): _S.REJECTED,
        (_S.APPROVED, _M.START): _S.IN_PROGRESS,
        (_S.IN_PROGRESS, _M.COMPLETE): _S.COMPLETED,
        (_S.IN_PROGRESS, _M.FAIL): _S.FAILED_ROLLBACK,
        (_S.COMPLETED, _M.UNDO): _S.ROLLED_BACK,
        # Only after a rollback that a person directed has failed: never silently.
        (_S.COMPLETED, _M.HAND_OVER): _S.MANUAL,
        (_S.MANUAL, _M.COMPLETE): _S.COMPLETED,
        (_S.MANUAL, _M.FOLLOW): _S.COMPLETED,
        (_S.MANUAL, _M.ABORT): _S.ABORTED,
        (_S.MANUAL, _M.RETURN): _S.PARSED,
        # A person asks for another plan, or changes it.
        (_S.PENDING_APPROVAL, _M.RETURN): _S.PARSED,
        (_S.APPROVED, _M.RETURN): _S.PARSED,
        # Only after the actions that do not fit the changed plan have been undone.
        (_S.IN_PROGRESS, _M.RETURN): _S.PARSED,
        # What has ended is not settled for those who asked: it is diagnosed again.
        **{(s, _M.REOPEN): _S.PARSED for s in ENDED_STATES},
        **{(s, _M.ABORT): _S.ABORTED for s in _BEFORE_WORK},
        **{
            (s, _M.HAND_OVER): _S.MANUAL
            for s in (*_BEFORE_WORK, _S.IN_PROGRESS, _S.FAILED_ROLLBACK)
        },
    }
)

_AGENT, _PERSON = frozenset({ActorKind.AGENT}), frozenset({ActorKind.PERSON})
_EITHER = _AGENT | _PERSON

MOVE_ACTORS: MappingProxyType[Move, frozenset[ActorKind]] = MappingProxyType(
    {
        _M.PARSE: _AGENT,
        _M.ASK: _EITHER,
        _M.WAIVE: _EITHER,
        _M.APPROVE: _PERSON,
        _M.REJECT: _PERSON,
        _M.START: _AGENT,
        _M.COMPLETE: _EITHER,
        _M.FAIL: _AGENT,
        _M.UNDO: _PERSON,
        _M.ABORT: _PERSON,
        _M.HAND_OVER: _EITHER,
        _M.RETURN: _PERSON,
        _M.REOPEN: _PERSON,
        _M.FOLLOW: _EITHER,
    }
)
"""Kinds of actor that may make a move; roles and approval chains restrict it further."""

SYSTEM_MOVES = frozenset(
    {
        (_S.RECEIVED, _M.ABORT),
        (_S.PARSED, _M.ABORT),
        (_S.MANUAL, _M.ABORT),
        (_S.ABORTED, _M.REOPEN),
        (_S.PARSED, _M.HAND_OVER),
    }
)
"""Moves of the system itself: it ends work that has not begun once its alert is resolved, and
reopens it if the alert fires again."""

OPEN_STATES = frozenset((*_BEFORE_WORK, _S.IN_PROGRESS, _S.MANUAL))
"""States in which work remains."""

_ADVANCE = (
    _S.RECEIVED,
    _S.PARSED,
    _S.PENDING_APPROVAL,
    _S.APPROVED,
    _S.MANUAL,
    _S.IN_PROGRESS,
)
_WORST_FIRST = (_S.FAILED_ROLLBACK, _S.ROLLED_BACK, _S.ABORTED, _S.REJECTED, _S.COMPLETED)


def next_state(state: State, move: Move, actor: ActorKind) -> State | None:
    """Return the next state, or `None` if this actor may not make the move in this state."""
    if actor is ActorKind.SYSTEM:
        return TRANSITIONS.get((state, move)) if (state, move) in SYSTEM_MOVES else None
    if actor not in MOVE_ACTORS[move]:
        return None
    if (state, move) == (_S.MANUAL, _M.COMPLETE) and actor is not ActorKind.PERSON:
        return None
    return TRANSITIONS.get((state, move))


def issue_state(tasks: Iterable[tuple[str | None, State]]) -> State:
    """Return an issue's state from its tasks, as (server, state) in order of creation.

    That is the least advanced open state. If no task is open, the last task of each server counts,
    and the worst of them: an issue is not completed while a server was left as it was.
    """
    ordered = list(tasks)
    still_open = [state for _, state in ordered if state in OPEN_STATES]
    if still_open:
        return min(still_open, key=_ADVANCE.index)
    return min(dict(ordered).values(), key=_WORST_FIRST.index)
