"""Commands in flight in this process, so that a person's intervention interrupts them.

Each command is tracked with the fencing token of its claim. If the board has raised the token
since, the command is interrupted, not awaited. `stop` ends all of them without asking the board:
it works with the database gone, and reports what is left on each host.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.kill_switch import active_kill_switch
from guardia.board.execution import commands
from guardia.errors import Interrupted
from guardia.tools.output import Output


@dataclass(slots=True, eq=False)
class TrackedCommand:
    """One command between its intent and its result."""

    server: str
    fence: tuple[int, int] | None
    """The task and the fencing token of its claim; `None`: a person's read outside of a task."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set to end it on its server."""
    output: Output | None = None
    """What the transport reported at its end."""
    finished: threading.Event = field(default_factory=threading.Event)
    """It runs no longer: it has ended, or it certainly never started."""

    def end(self, output: Output) -> None:
        """Keep what the transport reported at the end."""
        self.output = output
        self.finished.set()


@dataclass(frozen=True, slots=True)
class HostReport:
    """What the end of all commands left on one host."""

    server: str
    commands: int
    """Commands that were running or about to start there."""
    unanswered: int
    """Of these, commands whose end the host has not confirmed in time."""
    left: int
    """Processes of the commands that still run; without those of unanswered commands."""
    unclear: int
    """Processes that may be theirs and show no sign of it, such as those of another account."""
    kept: int
    """Processes that the commands were to leave behind, such as a service that was started."""

    @property
    def is_clear(self) -> bool:
        """Whether the host has confirmed that nothing is left."""
        return not (self.unanswered or self.left or self.unclear)


@dataclass(frozen=True, slots=True)
class StopReport:
    """What the end of all commands of this process left, by host."""

    hosts: tuple[HostReport, ...]
    seconds: float
    """How long it took until the last end was confirmed, or until the limit."""

    @property
    def commands(self) -> int:
        """How many commands were ended on all hosts."""
        return sum(host.commands for host in self.hosts)

    @property
    def is_clear(self) -> bool:
        """Whether every host has confirmed that nothing is left."""
        return all(host.is_clear for host in self.hosts)


class InFlightCommands:
    """Running commands of one process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[TrackedCommand] = set()
        self._closed = False
        self._stopped = False

    @contextmanager
    def track(
        self, claim: Claim | None, server: str, cancel: threading.Event | None = None
    ) -> Iterator[TrackedCommand]:
        """Track a command until the block ends; its event, `cancel`, is set to interrupt it.

        Without a claim it is a person's read, which the kill switch interrupts, and who holds
        `cancel`.

        Enter before the intent is recorded, so that an intervention in between is not missed.
        Raises `Interrupted` after `close`, and between `stop` and `allow`.
        """
        fence = (claim.task_id, claim.fence) if claim else None
        tracked = TrackedCommand(server, fence, cancel or threading.Event())
        with self._lock:
            if self._closed or self._stopped:
                raise Interrupted(what=issue_ref(claim.sr_id) if claim else server)
            self._running.add(tracked)
        try:
            yield tracked
        finally:
            tracked.finished.set()
            with self._lock:
                self._running.discard(tracked)

    def interrupt(self, board: BoardContext) -> int:
        """Interrupt the commands whose fencing token is stale. Returns how many."""
        with self._lock:
            running = set(self._running)
        if not running:
            return 0
        fences = {tracked.fence for tracked in running}
        stale: set[tuple[int, int] | None] = {
            *commands.stale_fences(board, {fence for fence in fences if fence is not None})
        }
        if None in fences and active_kill_switch(board) is not None:
            stale.add(None)
        ended = [tracked for tracked in running if tracked.fence in stale]
        for tracked in ended:
            tracked.cancel.set()
        return len(ended)

    def stop(self, seconds: float) -> StopReport:
        """End all commands at once, accept none until `allow`, and report what is left.

        Waits at most `seconds` for the hosts to confirm. Touches no database.
        """
        started = time.monotonic()
        with self._lock:
            self._stopped = True
            # A command that has ended and waits for its result to be recorded runs no longer.
            running = [tracked for tracked in self._running if not tracked.finished.is_set()]
            for tracked in self._running:
                tracked.cancel.set()
        for tracked in running:
            tracked.finished.wait(max(0.0, started + seconds - time.monotonic()))
        by_host: dict[str, list[TrackedCommand]] = defaultdict(list)
        for tracked in running:
            by_host[tracked.server].append(tracked)
        hosts = tuple(_report(server, by_host[server]) for server in sorted(by_host))
        return StopReport(hosts, time.monotonic() - started)

    def allow(self) -> None:
        """Accept commands again after `stop`."""
        with self._lock:
            self._stopped = False

    def close(self) -> None:
        """Interrupt all commands and accept no more, before the process exits."""
        with self._lock:
            self._closed = True
            for tracked in self._running:
                tracked.cancel.set()

    def active_count(self) -> int:
        """Return how many commands run that have not been interrupted."""
        with self._lock:
            return sum(not tracked.cancel.is_set() for tracked in self._running)


def _report(server: str, ended: list[TrackedCommand]) -> HostReport:
    outputs = [tracked.output for tracked in ended if tracked.output is not None]
    waiting = sum(not tracked.finished.is_set() for tracked in ended)
    return HostReport(
        server=server,
        commands=len(ended),
        unanswered=waiting + sum(output.left is None for output in outputs),
        left=sum(output.left or 0 for output in outputs),
        unclear=sum(output.unclear for output in outputs),
        kept=sum(output.kept for output in outputs),
    )
