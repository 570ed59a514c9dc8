"""Events with which a command is awaited: none of them loses a wake-up or waits endlessly."""

from __future__ import annotations

import threading


class PipeEvent(threading.Event):
    """Set by either of a channel's two pipes. Neither may clear it: the other may hold data."""

    def clear(self) -> None:
        pass

    def rearm(self) -> None:
        """Forget; to be called before looking, so that nothing is missed."""
        super().clear()


class BoundedEvent(threading.Event):
    """An event that nobody waits for endlessly: paramiko would, for a request's answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wait(self, timeout: float | None = None) -> bool:
        if not super().wait(self._seconds if timeout is None else timeout):
            raise TimeoutError
        return True
