"""Kept connections, shared by threads: which one takes the next channel, and when one ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Connection(Protocol):
    """A connection."""

    def alive(self) -> bool:
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

    line: L
    capacity: int
    channels: int = 1
    used: float = field(default_factory=time.monotonic)
    retired: bool = False
    """No new channels; closed with the last one."""

    def full(self) -> None:
        """Note that the other side takes no further channel. A closed one may not be free there
        yet, so one is always tried again."""
        self.capacity = max(1, self.channels - 1)

    def over(self, oldest: float) -> bool:
        """Whether it has no use any more."""
        if not self.line.alive():
            return True
        return self.channels == 0 and (self.retired or self.used < oldest)


@dataclass(slots=True, eq=False)
class _Endpoint(Generic[L]):
    """The connections to one place."""

    kept: list[PooledConnection[L]] = field(default_factory=list)
    opening: bool = False
    """One at a time, so that a burst of commands does not become a burst of log-ins."""

    def roomiest(self) -> PooledConnection[L] | None:
        """The living connection with the most room, if there is room at all."""
        roomy = (
            k for k in self.kept if not k.retired and k.channels < k.capacity and k.line.alive()
        )
        return min(roomy, key=lambda k: k.channels, default=None)


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

    def take(self, key: K, connect: Callable[[], L], deadline: float) -> PooledConnection[L]:
        """A connection to ``key`` with one channel of it taken; a new one by ``connect``.

        ``Full`` where none gets free until ``deadline`` (monotonic), ``Closed`` after ``close``.
        """
        with self._changed:
            while True:
                if self._closed:
                    raise PoolClosed
                place = self._places.setdefault(key, _Endpoint())
                self._sweep(keep=place)
                if best := place.roomiest():
                    best.channels += 1
                    return best
                if not place.opening and len(place.kept) < self._connections:
                    place.opening = True
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise PoolExhausted
        return self._add(place, connect)

    def give_back(self, kept: PooledConnection[L], *, retire: bool = False) -> None:
        """One channel less on it; ``retire`` where it should carry no further one."""
        with self._changed:
            kept.channels -= 1
            kept.used = time.monotonic()
            kept.retired |= retire
            self._sweep()
            self._changed.notify_all()

    def close(self) -> None:
        """End all connections, now and for good."""
        with self._changed:
            self._closed = True
            everything = [k for place in self._places.values() for k in place.kept]
            self._places.clear()
            self._changed.notify_all()
        for kept in everything:
            kept.line.close()

    def _add(self, place: _Endpoint[L], connect: Callable[[], L]) -> PooledConnection[L]:
        kept: PooledConnection[L] | None = None
        try:
            kept = PooledConnection(connect(), self._channels)
        finally:
            with self._changed:
                place.opening = False
                if kept is not None and not self._closed:
                    place.kept.append(kept)
                self._changed.notify_all()
        if self._closed:
            kept.line.close()
            raise PoolClosed
        return kept

    def _sweep(self, keep: _Endpoint[L] | None = None) -> None:
        """Close what is dead, retired or long unused. Called with the lock held."""
        oldest = time.monotonic() - self._idle
        for key, place in list(self._places.items()):
            for kept in [k for k in place.kept if k.over(oldest)]:
                place.kept.remove(kept)
                kept.line.close()
            if not place.kept and not place.opening and place is not keep:
                del self._places[key]
