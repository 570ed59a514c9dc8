"""Announce what running commands print, from a thread of its own: no command waits for it.

A command that ends soon is never announced. What is lost here is lost from a page for a moment; the
result is recorded in any case.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from guardia.board.core.context import BoardContext
from guardia.board.execution import live_output
from guardia.board.execution.commands import Intent
from guardia.board.execution.live_output import TAIL_BYTES, OutputTail

log = logging.getLogger(__name__)

OnOutput = Callable[[str, str], None]
_PAUSE = 0.5
"""Seconds between two announcements, and until the first."""
_REPEAT = 10.0
"""Seconds after which the same tail is announced again, for boards that have just started."""


class _RunningOutput:
    """The last lines of one command; the transport adds to it."""

    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._lock = threading.Lock()
        self._text = ""
        self._started = time.monotonic()
        self._announced_at = 0.0
        self._changed = False

    def add(self, _stream: str, text: str) -> None:
        with self._lock:
            self._text = (self._text + text)[-TAIL_BYTES:]
            self._changed = True

    @property
    def was_announced(self) -> bool:
        return self._announced_at > 0

    def next(self) -> OutputTail | None:
        """Return the tail if it is time to announce it."""
        now = time.monotonic()
        with self._lock:
            repeats = self.was_announced and now - self._announced_at >= _REPEAT
            if now - self._started < _PAUSE or not (self._changed or repeats):
                return None
            self._changed, self._announced_at = False, now
            text = self._text.encode()[-TAIL_BYTES:].decode(errors="ignore")
        return self._tail(text, ended=False)

    def end(self) -> OutputTail:
        return self._tail("", ended=True)

    def _tail(self, text: str, *, ended: bool) -> OutputTail:
        intent = self._intent
        claim = intent.grant.claim
        return OutputTail(
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            seq=intent.seq,
            tool=intent.call.tool,
            server=intent.grant.server_id,
            seconds=round(time.monotonic() - self._started),
            text=text,
            ended=ended,
        )


class LiveOutput:
    """The running commands of this process; thread-safe."""

    def __init__(self, board: BoardContext, pause: float = _PAUSE) -> None:
        self._board = board
        self._pause = pause
        self._lock = threading.Lock()
        self._running: set[_RunningOutput] = set()
        self._ended: list[OutputTail] = []
        self._thread: threading.Thread | None = None

    @contextmanager
    def following(self, intent: Intent) -> Iterator[OnOutput]:
        """Announce the output of a command within the block; yields what takes it."""
        running = _RunningOutput(intent)
        with self._lock:
            self._running.add(running)
            if self._thread is None:
                self._thread = threading.Thread(target=self._announce_all, daemon=True)
                self._thread.start()
        try:
            yield running.add
        finally:
            with self._lock:
                self._running.discard(running)
                if running.was_announced:
                    self._ended.append(running.end())

    def _announce_all(self) -> None:
        """Announce until no command has run for a while."""
        idle_since = time.monotonic()
        while True:
            time.sleep(self._pause)
            with self._lock:
                ended, self._ended = self._ended, []
                running = list(self._running)
                if running or ended:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > _REPEAT:
                    self._thread = None
                    return
            for tail in (*filter(None, (one.next() for one in running)), *ended):
                self._announce(tail)

    def _announce(self, tail: OutputTail) -> None:
        try:
            live_output.announce(self._board, tail)
        except Exception as error:  # it is only shown; the command goes on
            log.debug("the output of a running command was not announced: %r", error)
