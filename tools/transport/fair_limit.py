"""How many may be at work at once for one key; the one that waits longest is next."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_POLL_SECONDS = 0.1
"""Longest delay until a cancel of a waiting one is noticed."""

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Queue:
    taken: int = 0
    waiting: deque[threading.Event] = field(default_factory=deque)


class FairLimit(Generic[K]):
    """Places by key, given in the order of asking; thread-safe."""

    def __init__(self, places: int) -> None:
        """Allow so many places for each key."""
        self._places = places
        self._lock = threading.Lock()
        self._queues: dict[K, _Queue] = {}

    def take(
        self, key: K, deadline: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        """Take a place; return whether there was one until `deadline` (monotonic)."""
        turn = threading.Event()
        with self._lock:
            queue = self._queues.setdefault(key, _Queue())
            if queue.taken < self._places:  # then no other waits
                queue.taken += 1
                return True
            queue.waiting.append(turn)
        while (
            not turn.is_set() and not is_cancelled() and (left := deadline - time.monotonic()) > 0
        ):
            turn.wait(min(_POLL_SECONDS, left))
        with self._lock:
            if not turn.is_set():
                queue.waiting.remove(turn)
            return turn.is_set()

    def give_back(self, key: K) -> None:
        """Pass a place on to the one that waits longest."""
        with self._lock:
            queue = self._queues[key]
            if queue.waiting:
                queue.waiting.popleft().set()
                return
            queue.taken -= 1
            if not queue.taken:
                del self._queues[key]
