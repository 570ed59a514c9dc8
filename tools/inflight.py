"""The commands that this process has in flight, so that a person's order reaches them.

A command belongs to the fence that its agent held when it was sent. Where the board has raised the
fence since, the command is interrupted, not awaited.
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
    """Running commands of one process; safe for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[threading.Event, tuple[int, int]] = {}
        self._closed = False

    @contextmanager
    def track(self, claim: Claim) -> Iterator[threading.Event]:
        """Enter before the intent is written, so that no order can pass unseen in between.

        ``Interrupted`` once closed."""
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
        """Interrupt whatever no longer has the board's word; returns how many commands."""
        with self._lock:
            running = dict(self._running)
        if not running:
            return 0
        overtaken = commands.stale_fences(board, set(running.values()))
        ended = [cancel for cancel, fence in running.items() if fence in overtaken]
        for cancel in ended:
            cancel.set()
        return len(ended)

    def close(self) -> None:
        """Interrupt everything, and let nothing more begin: the process ends."""
        with self._lock:
            self._closed = True
            for cancel in self._running:
                cancel.set()

    def active_count(self) -> int:
        """How many commands run that nobody has interrupted."""
        with self._lock:
            return sum(not cancel.is_set() for cancel in self._running)
