"""The stages of one server with load balancers on other servers: out, change, back. Pure.

Each stage begins when the one before it is done. After a failure the stages that are done are
undone in the reverse order, so the server gets no traffic until it is as before. A step that could
not be restored ends this: the server stays out of its load balancers until people have looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardia.board.rollouts.policy import ServerState

Stages = Sequence[Sequence[ServerState]]
"""States of the steps of each stage, in their order."""
_BUSY = {ServerState.RUNNING, ServerState.UNDOING}


@dataclass(frozen=True, slots=True)
class Turn:
    """The steps that are begun or undone now, as (stage, step)."""

    begin: tuple[tuple[int, int], ...] = ()
    undo: tuple[tuple[int, int], ...] = ()


def combined(stages: Stages) -> ServerState:
    """Return the state of the whole server."""
    found = {state for stage in stages for state in stage}
    if len(found) == 1:
        return found.pop()
    if ServerState.UNDOING in found:
        return ServerState.UNDOING
    if ServerState.RUNNING in found:
        return ServerState.RUNNING
    if ServerState.BROKEN in found:
        return ServerState.BROKEN
    if ServerState.RESTORED in found:
        return ServerState.UNDOING if ServerState.DONE in found else ServerState.RESTORED
    return ServerState.RUNNING


def next_turn(stages: Stages, *, back: bool, stopped: bool = False) -> Turn:
    """Return what is done now; nothing while a step runs, or before people have looked.

    `back`: the server is rolled back, even if nothing has failed; `stopped`: the kill switch is on.
    """
    found = {state for stage in stages for state in stage}
    if found & _BUSY or ServerState.BROKEN in found or found == {ServerState.WAITING}:
        return Turn()
    if back or ServerState.RESTORED in found:
        return Turn(undo=_last(stages, ServerState.DONE))
    return Turn() if stopped else Turn(begin=_first(stages, ServerState.WAITING))


def _first(stages: Stages, state: ServerState) -> tuple[tuple[int, int], ...]:
    found = _places(stages, state)
    return tuple(place for place in found if place[0] == found[0][0])


def _last(stages: Stages, state: ServerState) -> tuple[tuple[int, int], ...]:
    found = _places(stages, state)
    return tuple(place for place in found if place[0] == found[-1][0])


def _places(stages: Stages, state: ServerState) -> list[tuple[int, int]]:
    return [
        (number, place)
        for number, stage in enumerate(stages)
        for place, found in enumerate(stage)
        if found is state
    ]
