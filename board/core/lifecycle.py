"""The lifecycle of a task: one pure table ``(State, Move) -> State``, and who may make which move.

Nothing else decides what state follows what; ``board.desk`` only looks moves up here.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a task stands."""

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
    """What can happen to a task."""

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


class ActorKind(StrEnum):
    """Who acts; only agents and people make moves."""

    AGENT = "agent"
    PERSON = "person"
    CHANNEL = "channel"
    OPERATOR = "operator"
    SYSTEM = "system"


_S, _M = State, Move
_BEFORE_WORK = (_S.RECEIVED, _S.PARSED, _S.PENDING_APPROVAL, _S.APPROVED)

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
        # Only where an undo that a person ordered has failed: never silently.
        (_S.COMPLETED, _M.HAND_OVER): _S.MANUAL,
        (_S.MANUAL, _M.COMPLETE): _S.COMPLETED,
        (_S.MANUAL, _M.ABORT): _S.ABORTED,
        (_S.MANUAL, _M.RETURN): _S.PARSED,
        # A person asks for another plan, or changes it.
        (_S.PENDING_APPROVAL, _M.RETURN): _S.PARSED,
        (_S.APPROVED, _M.RETURN): _S.PARSED,
        # Only once what does not fit the changed plan has been undone.
        (_S.IN_PROGRESS, _M.RETURN): _S.PARSED,
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
    }
)
"""Who may make a move at all; roles and approval chains narrow it further."""

OPEN_STATES = frozenset((*_BEFORE_WORK, _S.IN_PROGRESS, _S.MANUAL))
"""States in which something is still to be done."""

_ADVANCE = (
    _S.RECEIVED,
    _S.PARSED,
    _S.PENDING_APPROVAL,
    _S.APPROVED,
    _S.MANUAL,
    _S.IN_PROGRESS,
)


def next_state(state: State, move: Move, actor: ActorKind) -> State | None:
    """The state that follows, or ``None`` where this actor has no such move from here."""
    if actor not in MOVE_ACTORS[move]:
        return None
    if (state, move) == (_S.MANUAL, _M.COMPLETE) and actor is not ActorKind.PERSON:
        return None
    return TRANSITIONS.get((state, move))


def issue_state(states: Iterable[State]) -> State:
    """An issue's state from those of its tasks in order of creation: the least advanced open
    one, else the last one."""
    known = list(states)
    waiting = [s for s in known if s in OPEN_STATES]
    return min(waiting, key=_ADVANCE.index) if waiting else known[-1]
