"""Generous waits for tests: a slow machine is no failure, only a hang is one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATIENCE = 300.0
"""Seconds after which a test gives up waiting; working code never comes near it."""
AN_HOUR = 3600.0
"""For waits that something must end: longer than any test waits."""


def wait_until(
    condition: Callable[[], object], seconds: float = PATIENCE, pause: float = 0.05
) -> bool:
    """Return whether `condition` becomes true in time; check again after each `pause`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@contextmanager
def hang_guard(what: str, minutes: float = 5.0) -> Iterator[None]:
    """Fail with `what` if the block still runs after so many minutes.

    It measures nothing. It must run in the main thread, whose current call it interrupts.
    """

    def fail(*_: object) -> None:
        pytest.fail(f"still not over after {minutes:g} minutes: {what}")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class SettableClock:
    """A module's `time`, whose monotonic clock a test advances instead of waiting.

    With a `step`, each reading advances it by so many seconds.
    """

    def __init__(self, step: float = 0.0) -> None:
        self.ahead = 0.0
        self._step = step

    def monotonic(self) -> float:
        self.ahead += self._step
        return time.monotonic() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
