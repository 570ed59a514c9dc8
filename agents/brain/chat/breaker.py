"""Circuit breaker: a model server that fails several times in a row is skipped for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 3
PAUSE = 60.0


class CircuitBreaker:
    """Counts consecutive failures of one server; thread-safe."""

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
        """Return whether the server may be asked now; after the pause, one request probes it."""
        with self._lock:
            if self._failures < self._limit:
                return True
            now = self._clock()
            if now < self._until:
                return False
            # All others wait until this one has succeeded, or for another pause.
            self._until = now + self._pause
            return True

    def record_success(self) -> None:
        """Record that the server answered."""
        with self._lock:
            self._failures = 0

    def record_failure(self) -> None:
        """Record that the server did not answer, or with an error of its own."""
        with self._lock:
            self._failures += 1
            self._until = self._clock() + self._pause


_breakers: dict[str, CircuitBreaker] = {}
_breakers_lock = Lock()


def breaker_for(base_url: str) -> CircuitBreaker:
    """Return this process's breaker for a model server."""
    with _breakers_lock:
        return _breakers.setdefault(base_url.rstrip("/"), CircuitBreaker())
