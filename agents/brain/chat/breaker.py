"""A model server that fails several times in a row is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 3
PAUSE = 60.0


class CircuitBreaker:
    """Counts the failures in a row of one server; safe for the threads of a process."""

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._until = 0.0

    def allows(self) -> bool:
        """Whether the server may be asked now. After the pause one question goes first alone."""
        with self._lock:
            if self._failures < self._limit:
                return True
            now = self._clock()
            if now < self._until:
                return False
            # Others wait until this one has succeeded, or a pause more.
            self._until = now + self._pause
            return True

    def record_success(self) -> None:
        """The server answered."""
        with self._lock:
            self._failures = 0

    def record_failure(self) -> None:
        """The server did not answer, or with an error of its own."""
        with self._lock:
            self._failures += 1
            self._until = self._clock() + self._pause


_breakers: dict[str, CircuitBreaker] = {}
_breakers_lock = Lock()


def breaker_for(base_url: str) -> CircuitBreaker:
    """The one breaker of this process for a model server."""
    with _breakers_lock:
        return _breakers.setdefault(base_url.rstrip("/"), CircuitBreaker())
