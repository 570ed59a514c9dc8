"""Events for awaiting a command without lost wake-ups or endless waits."""

from __future__ import annotations

import threading


class PipeEvent(threading.Event):
    """Event set by either pipe of a channel. Neither may clear it: the other may hold data."""

    def clear(self) -> None:
        pass

    def rearm(self) -> None:
        """Clear the event. Call it before looking at the pipes, so that nothing is missed."""
        super().clear()


class BoundedEvent(threading.Event):
    """Event with a bounded wait: paramiko would wait forever for the answer to a request."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wait(self, timeout: float | None = None) -> bool:
        if not super().wait(self._seconds if timeout is None else timeout):
            raise TimeoutError
        return True
