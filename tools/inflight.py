"""Commands in flight in this process, so that a person's intervention interrupts them.

Each command is tracked with the fencing token of its claim. If the board has raised the token
since, the command is interrupted, not awaited.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.execution import commands
from guardia.errors import Interrupted


class InFlightCommands:
    """Running commands of one process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[threading.Event, tuple[int, int]] = {}
        self._closed = False

    @contextmanager
    def track(self, claim: Claim) -> Iterator[threading.Event]:
        """Track a command until the block ends; its event is set to interrupt it.

        Enter before the intent is recorded, so that an intervention in between is not missed.
        Raises `Interrupted` after `close`.
        """
        cancel = threading.Event()
        with self._lock:
            if self._closed:
                raise Interrupted(what=issue_ref(claim.sr_id))
            self._running[cancel] = (claim.task_id, claim.fence)
        try:
            yield cancel
        finally:
            with self._lock:
                del self._running[cancel]

    def interrupt(self, board: BoardContext) -> int:
        """Interrupt the commands whose fencing token is stale. Returns how many."""
        with self._lock:
            running = dict(self._running)
        if not running:
            return 0
        stale = commands.stale_fences(board, set(running.values()))
        ended = [cancel for cancel, fence in running.items() if fence in stale]
        for cancel in ended:
            cancel.set()
        return len(ended)

    def close(self) -> None:
        """Interrupt all commands and accept no more, before the process exits."""
        with self._lock:
            self._closed = True
            for cancel in self._running:
                cancel.set()

    def active_count(self) -> int:
        """Return how many commands run that have not been interrupted."""
        with self._lock:
            return sum(not cancel.is_set() for cancel in self._running)
