"""Kept connections, shared by threads: which one takes the next channel, and when one ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Connection(Protocol):
    """A connection."""

    def is_alive(self) -> bool:
        """Whether it may still carry something."""
        ...

    def close(self) -> None:
        """End it, and everything on it."""
        ...


K = TypeVar("K")
L = TypeVar("L", bound=Connection)


class PoolExhausted(Exception):
    """Every connection is in use and no further one is allowed."""


class PoolClosed(Exception):
    """The pool has been closed."""


@dataclass(slots=True, eq=False)
class PooledConnection(Generic[L]):
    """One connection, and how many channels of it are in use."""

    connection: L
    capacity: int
    channels: int = 1
    last_used: float = field(default_factory=time.monotonic)
    retired: bool = False
    """No new channels; closed with the last one."""

    def full(self) -> None:
        """Note that the other side takes no further channel. A closed one may not be free there
        yet, so one is always tried again."""
        self.capacity = max(1, self.channels - 1)

    def is_expired(self, oldest: float) -> bool:
        """Whether it has no use any more."""
        if not self.connection.is_alive():
            return True
        return self.channels == 0 and (self.retired or self.last_used < oldest)


@dataclass(slots=True, eq=False)
class _Endpoint(Generic[L]):
    """The connections to one place."""

    pooled: list[PooledConnection[L]] = field(default_factory=list)
    opening: bool = False
    """One at a time, so that a burst of commands does not become a burst of log-ins."""

    def least_busy(self) -> PooledConnection[L] | None:
        """The living connection with the most room, if there is room at all."""
        available = (
            k
            for k in self.pooled
            if not k.retired and k.channels < k.capacity and k.connection.is_alive()
        )
        return min(available, key=lambda k: k.channels, default=None)


class ConnectionPool(Generic[K, L]):
    """Connections by place; every method may be called from any thread."""

    def __init__(self, *, channels: int, connections: int, idle: float) -> None:
        """At most ``channels`` on one connection and ``connections`` to one place; an unused one
        is closed after ``idle`` seconds."""
        self._channels = channels
        self._connections = connections
        self._idle = idle
        self._changed = threading.Condition()
        self._places: dict[K, _Endpoint[L]] = {}
        self._closed = False

    def acquire(self, key: K, connect: Callable[[], L], deadline: float) -> PooledConnection[L]:
        """A connection to ``key`` with one channel of it taken; a new one by ``connect``.

        ``Full`` where none gets free until ``deadline`` (monotonic), ``Closed`` after ``close``.
        """
        with self._changed:
            while True:
                if self._closed:
                    raise PoolClosed
                place = self._places.setdefault(key, _Endpoint())
                self._sweep(keep=place)
                if best := place.least_busy():
                    best.channels += 1
                    return best
                if not place.opening and len(place.pooled) < self._connections:
                    place.opening = True
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise PoolExhausted
        return self._add(place, connect)

    def release(self, pooled: PooledConnection[L], *, retire: bool = False) -> None:
        """One channel less on it; ``retire`` where it should carry no further one."""
        with self._changed:
            pooled.channels -= 1
            pooled.last_used = time.monotonic()
            pooled.retired |= retire
            self._sweep()
            self._changed.notify_all()

    def close(self) -> None:
        """End all connections, now and for good."""
        with self._changed:
            self._closed = True
            everything = [k for place in self._places.values() for k in place.pooled]
            self._places.clear()
            self._changed.notify_all()
        for pooled in everything:
            pooled.connection.close()

    def _add(self, place: _Endpoint[L], connect: Callable[[], L]) -> PooledConnection[L]:
        pooled: PooledConnection[L] | None = None
        try:
            pooled = PooledConnection(connect(), self._channels)
        finally:
            with self._changed:
                place.opening = False
                if pooled is not None and not self._closed:
                    place.pooled.append(pooled)
                self._changed.notify_all()
        if self._closed:
            pooled.connection.close()
            raise PoolClosed
        return pooled

    def _sweep(self, keep: _Endpoint[L] | None = None) -> None:
        """Close what is dead, retired or long unused. Called with the lock held."""
        oldest = time.monotonic() - self._idle
        for key, place in list(self._places.items()):
            for pooled in [k for k in place.pooled if k.is_expired(oldest)]:
                place.pooled.remove(pooled)
                pooled.connection.close()
            if not place.pooled and not place.opening and place is not keep:
                del self._places[key]
