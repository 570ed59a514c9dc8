"""Events for awaiting a command without lost wake-ups or endless waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


class PipeEvent(threading.Event):
    """Event set by either pipe of a channel. Neither may clear it: the other may hold data."""

    def clear(self) -> None:
        pass

    def rearm(self) -> None:
        """Clear the event. Call it before looking at the pipes, so that nothing is missed."""
        super().clear()


class BoundedEvent(threading.Event):
    """Event with a bounded wait: paramiko would wait forever for the answer to a request."""

    def __init__(self, seconds: float, is_stopped: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._seconds = seconds
        self._is_stopped = is_stopped

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the event. Raises `TimeoutError` at the limit, or once `is_stopped`."""
        deadline = time.monotonic() + (self._seconds if timeout is None else timeout)
        while not super().wait(_POLL_SECONDS):
            if self._is_stopped() or time.monotonic() >= deadline:
                raise TimeoutError
        return True
