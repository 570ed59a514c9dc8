"""What a rollout does next: pure rules over the states of its servers.

A batch begins only when all servers of the batches before it are done. The first failure stops the
rollout: it is paused or rolled back, as its options say. A rollback undoes exactly the servers that
were changed, the last batch first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from guardia.board.core.lifecycle import OPEN_STATES, State


class RolloutState(StrEnum):
    """State of a rollout."""

    PLANNING = "PLANNING"
    """A worker reads the servers and makes their plans."""
    DRAFT = "DRAFT"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ROLLING_BACK = "ROLLING_BACK"
    DONE = "DONE"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    """Something was not restored: people must act."""
    CANCELLED = "CANCELLED"


MOVES: dict[RolloutState, frozenset[RolloutState]] = {
    RolloutState.PLANNING: frozenset({RolloutState.DRAFT, RolloutState.CANCELLED}),
    RolloutState.DRAFT: frozenset({RolloutState.PENDING, RolloutState.CANCELLED}),
    RolloutState.PENDING: frozenset({RolloutState.RUNNING, RolloutState.CANCELLED}),
    RolloutState.RUNNING: frozenset(
        {RolloutState.PAUSED, RolloutState.ROLLING_BACK, RolloutState.DONE}
    ),
    RolloutState.PAUSED: frozenset(
        {RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.CANCELLED}
    ),
    RolloutState.ROLLING_BACK: frozenset({RolloutState.ROLLED_BACK, RolloutState.FAILED}),
}
"""Which state may follow which; the others are ends."""
ENDS = frozenset(
    {
        RolloutState.DONE,
        RolloutState.ROLLED_BACK,
        RolloutState.FAILED,
        RolloutState.CANCELLED,
    }
)


class Options(BaseModel):
    """What people decide about a rollout before it is approved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tiers: tuple[str, ...] = ("WEB", "WAS", "DB")
    """Order of the kinds of servers; a kind that is not named comes last."""
    batch: int = Field(default=1, ge=1, le=1000)
    """Servers changed at a time within a tier."""
    canary: bool = True
    """Whether the first batch is one server."""
    pause_after_canary: bool = False
    """Whether people look at the canary before the rollout goes on."""
    on_failure: Literal["rollback", "pause"] = "rollback"
    on_interruption: Literal["continue", "rollback"] = "continue"


class ServerState(StrEnum):
    """State of one server of a rollout."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    RESTORED = "RESTORED"
    """Its change failed or was rolled back, and everything is as before."""
    BROKEN = "BROKEN"
    """It was handed to people: something may not be as before."""
    UNDOING = "UNDOING"


@dataclass(frozen=True, slots=True)
class ServerProgress:
    """A server's batch and state."""

    server: str
    batch: int
    state: ServerState


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now; nothing if all is empty."""

    begin: tuple[str, ...] = ()
    """Servers whose plans are filed now."""
    undo: tuple[str, ...] = ()
    """Servers whose completed change is rolled back now."""
    to: RolloutState | None = None
    reason: str = ""
    """Key of the reason below `rollouts.why`."""


def server_state(status: str | None, *, undoing: bool, changed: bool) -> ServerState:
    """Return the state of a server from that of its task; `None`: it has none yet.

    `changed` says whether an action of its plan may have changed something.
    """
    if status is None:
        return ServerState.WAITING
    if undoing:
        return ServerState.UNDOING
    state = State(status)
    if state is State.COMPLETED:
        return ServerState.DONE
    if state in {State.FAILED_ROLLBACK, State.ROLLED_BACK}:
        return ServerState.RESTORED
    if state is State.MANUAL:
        return ServerState.BROKEN if changed else ServerState.RESTORED
    return ServerState.RUNNING if state in OPEN_STATES else ServerState.RESTORED


def assign_batches(
    servers: Iterable[tuple[str, str]], options: Options
) -> tuple[tuple[str, str, int], ...]:
    """Return (server, tier, batch) in the order in which they are changed.

    A batch never mixes tiers.
    """
    rank = {tier: number for number, tier in enumerate(options.tiers)}
    ordered = sorted(servers, key=lambda s: (rank.get(s[1], len(rank)), s[1], s[0]))
    placed: list[tuple[str, str, int]] = []
    batch = 0
    for server, tier in ordered:
        same = [p for p in placed if p[2] == batch]
        room = 1 if batch == 1 and options.canary else options.batch
        if not same or same[0][1] != tier or len(same) >= room:
            batch += 1
        placed.append((server, tier, batch))
    return tuple(placed)


def next_step(
    state: RolloutState,
    servers: Sequence[ServerProgress],
    options: Options,
    *,
    stopped: bool = False,
    interrupted: bool = False,
    looked: bool = False,
) -> Step:
    """Return what is to be done.

    `stopped`: the kill switch is on; `looked`: people have let the rollout go on after its canary.
    """
    if state is RolloutState.ROLLING_BACK:
        return _roll_back(servers)
    if state is not RolloutState.RUNNING:
        return Step()
    if stopped:
        return Step(to=RolloutState.PAUSED, reason="stopped")
    if interrupted and options.on_interruption == "rollback":
        return Step(to=RolloutState.ROLLING_BACK, reason="interrupted")
    if _in(servers, {ServerState.RUNNING, ServerState.UNDOING}):
        return Step()  # also after a failure: what runs ends first
    return _go_on(servers, options, looked=looked)


def _go_on(servers: Sequence[ServerProgress], options: Options, *, looked: bool) -> Step:
    """Return what follows when no server is being changed."""
    if _in(servers, {ServerState.RESTORED, ServerState.BROKEN}):
        to = {"rollback": RolloutState.ROLLING_BACK, "pause": RolloutState.PAUSED}
        return Step(to=to[options.on_failure], reason="failed")
    waiting = _in(servers, {ServerState.WAITING})
    if not waiting:
        return Step(to=RolloutState.DONE)
    batch = min(s.batch for s in waiting)
    if batch == 2 and options.canary and options.pause_after_canary and not looked:
        return Step(to=RolloutState.PAUSED, reason="canary")
    return Step(begin=tuple(s.server for s in waiting if s.batch == batch))


def _roll_back(servers: Sequence[ServerProgress]) -> Step:
    if _in(servers, {ServerState.RUNNING, ServerState.UNDOING}):
        return Step()
    done = _in(servers, {ServerState.DONE})
    if done:
        batch = max(s.batch for s in done)
        return Step(undo=tuple(s.server for s in done if s.batch == batch))
    if _in(servers, {ServerState.BROKEN}):
        return Step(to=RolloutState.FAILED, reason="broken")
    return Step(to=RolloutState.ROLLED_BACK)


def _in(servers: Sequence[ServerProgress], states: Collection[ServerState]) -> list[ServerProgress]:
    return [server for server in servers if server.state in states]
