"""Requests a minute that a process accepts of one sender, as token buckets in memory.

A bucket in the database would cost more than the requests that it bounds; a person or program that
uses several boards gets the bound of each. The intake, where each request opens an issue, keeps its
buckets in the database: `intake.limits`.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class RateState:
    """What a sender may still request."""

    limit: int
    remaining: int
    reset: int
    """Unix time at which the whole limit is available again."""

    @property
    def used(self) -> int:
        """How much of the limit is used."""
        return self.limit - self.remaining


class RateLimit:
    """A bucket for each key: `per_minute` at once, and as many again every minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Level and time of the last request, the latest at the end."""

    def take(self, key: str) -> int:
        """Count a request. Returns 0, or the seconds after which the next one is accepted."""
        now = self._clock()
        with self._lock:
            level, at = self._buckets.pop(key, (float(self._per_minute), now))
            level = min(self._per_minute, level + (now - at) * self._per_minute / 60)
            accepted = level >= 1
            self._buckets[key] = (level - accepted, now)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        return 0 if accepted else math.ceil((1 - level) * 60 / self._per_minute)

    def state(self, key: str, now: float) -> RateState:
        """Return what a sender may still request; `now` is the Unix time. Counts nothing."""
        at = self._clock()
        with self._lock:
            level, since = self._buckets.get(key, (float(self._per_minute), at))
        level = min(self._per_minute, level + (at - since) * self._per_minute / 60)
        missing = self._per_minute - level
        reset = math.ceil(now + missing * 60 / self._per_minute)
        return RateState(self._per_minute, math.floor(level), reset)
