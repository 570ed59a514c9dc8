"""States of a run and of its servers, and what follows from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from guardia.board.core.lifecycle import OPEN_STATES, State

CHANGES_AT_A_TIME = 4
"""Servers that a change is carried out on at a time, after the first alone has succeeded."""


class RunKind(StrEnum):
    """What a run does."""

    READ = "read"
    CHANGE = "change"


class RunState(StrEnum):
    """State of a run."""

    DRAFT = "DRAFT"
    """A change that waits for its second confirmation."""
    PENDING = "PENDING"
    """A change that waits for its approvals."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """Nothing more begins; the running commands are being ended."""
    DONE = "DONE"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    """A change that was discarded, or not approved."""


class TargetState(StrEnum):
    """State of one server of a run."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    OK = "OK"
    FAILED = "FAILED"
    REFUSED = "REFUSED"
    """Nothing was sent: a right, a rule, a block or a missing service forbids it."""
    UNKNOWN = "UNKNOWN"
    """Its worker was lost, or people have to look: the result is not known."""
    STOPPED = "STOPPED"


OPEN = frozenset({TargetState.WAITING, TargetState.RUNNING})
AGAIN = frozenset(TargetState) - OPEN - {TargetState.OK}
"""States of servers that "only the failed ones again" takes."""
ENDS = frozenset({RunState.DONE, RunState.STOPPED, RunState.CANCELLED})
OPEN_RUNS = frozenset({RunState.RUNNING, RunState.STOPPING})
STOPPABLE = frozenset({RunState.DRAFT, RunState.PENDING, RunState.RUNNING})
Counts = Mapping[TargetState, int]


def end_of(state: RunState, counts: Counts) -> RunState | None:
    """Return the state in which a run ends now, or `None` while a server is open."""
    if state not in {RunState.RUNNING, RunState.STOPPING}:
        return None
    if any(counts.get(one, 0) for one in OPEN):
        return None
    return RunState.STOPPED if state is RunState.STOPPING else RunState.DONE


def changes_to_begin(counts: Counts) -> int:
    """Return on how many more servers a change begins now.

    The first is changed alone; after a failure none is begun.
    """
    if has_failed(counts):
        return 0
    most = CHANGES_AT_A_TIME if counts.get(TargetState.OK, 0) else 1
    free = most - counts.get(TargetState.RUNNING, 0)
    return max(0, min(free, counts.get(TargetState.WAITING, 0)))


def has_failed(counts: Counts) -> bool:
    """Return whether a change has gone wrong on a server, so that no further one is begun."""
    return bool(counts.get(TargetState.FAILED, 0) or counts.get(TargetState.UNKNOWN, 0))


def state_of_change(status: str, *, undoing: bool, changed: bool) -> TargetState:
    """Return the state of a server from that of its task.

    `changed` says whether its action was ever attempted.
    """
    state = State(status)
    if undoing or (state in OPEN_STATES and state is not State.MANUAL):
        return TargetState.RUNNING
    if state is State.COMPLETED:
        return TargetState.OK
    if state is State.MANUAL:
        return TargetState.UNKNOWN if changed else TargetState.REFUSED
    if state in {State.FAILED_ROLLBACK, State.ROLLED_BACK}:
        return TargetState.FAILED
    return TargetState.STOPPED
