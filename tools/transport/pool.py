"""Connection pool shared by threads: least-busy selection, retirement and idle expiry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Connection(Protocol):
    """A pooled connection."""

    def is_alive(self) -> bool:
        """Return whether it can still carry channels."""
        ...

    def close(self) -> None:
        """Close it and every channel on it."""
        ...


_SWEEP_SECONDS = 1.0
"""Pause between two looks at the connections of all endpoints."""

K = TypeVar("K")
C = TypeVar("C", bound=Connection)


class PoolExhausted(Exception):
    """Every connection is in use and no further one is allowed."""


class PoolClosed(Exception):
    """The pool has been closed."""


@dataclass(slots=True, eq=False)
class PooledConnection(Generic[C]):
    """One connection and the number of its channels in use."""

    connection: C
    capacity: int
    channels: int = 1
    last_used: float = field(default_factory=time.monotonic)
    retired: bool = False
    """Opens no new channels; closed when its last channel is released."""

    def mark_full(self) -> None:
        """Record that the server refuses a further channel.

        The server may not have freed a closed channel yet, so one is always tried again.
        """
        self.capacity = max(1, self.channels - 1)

    def is_expired(self, oldest: float) -> bool:
        """Return whether the pool should close it."""
        if not self.connection.is_alive():
            return True
        return self.channels == 0 and (self.retired or self.last_used < oldest)


@dataclass(slots=True, eq=False)
class _Endpoint(Generic[C]):
    """Connections to one endpoint."""

    group: str = ""
    pooled: list[PooledConnection[C]] = field(default_factory=list)
    opening: bool = False
    """Connections open one at a time: a burst of commands must not become a burst of log-ins."""

    def least_busy(self) -> PooledConnection[C] | None:
        """Return the live connection with the fewest channels, or `None` if all are full."""
        available = (
            c
            for c in self.pooled
            if not c.retired and c.channels < c.capacity and c.connection.is_alive()
        )
        return min(available, key=lambda c: c.channels, default=None)


class ConnectionPool(Generic[K, C]):
    """Connections by endpoint; thread-safe."""

    def __init__(self, *, channels: int, connections: int, idle: float) -> None:
        """Limit channels per connection and connections per endpoint.

        A connection unused for `idle` seconds is closed.
        """
        self._channels = channels
        self._connections = connections
        self._idle = idle
        self._changed = threading.Condition()
        self._endpoints: dict[K, _Endpoint[C]] = {}
        self._next_sweep = 0.0
        self._sweep_pause = min(_SWEEP_SECONDS, idle / 10)
        self._closed = False

    def acquire(
        self,
        key: K,
        connect: Callable[[], C],
        deadline: float,
        *,
        group: str = "",
        channels: int | None = None,
    ) -> PooledConnection[C]:
        """Return a connection to `key` with one channel taken; `connect` opens a new one.

        `channels` replaces the pool's limit of channels for a new connection. Raises
        `PoolExhausted` if none is free until `deadline` (monotonic), `PoolClosed` after `close`.
        """
        while True:
            with self._changed:
                if self._closed:
                    raise PoolClosed
                endpoint = self._endpoints.setdefault(key, _Endpoint(group))
                expired = self._take_expired(key, endpoint)
                best, may_open = endpoint.least_busy(), False
                if best:
                    best.channels += 1
                elif not endpoint.opening and len(endpoint.pooled) < self._connections:
                    endpoint.opening = may_open = True
                elif not expired and not self._changed.wait(deadline - time.monotonic()):
                    raise PoolExhausted
            _close(expired)
            if best:
                return best
            if may_open:
                return self._add(endpoint, connect, channels or self._channels)

    def release(self, pooled: PooledConnection[C], *, retire: bool = False) -> None:
        """Release one channel; `retire` keeps the connection from opening another."""
        with self._changed:
            pooled.channels -= 1
            pooled.last_used = time.monotonic()
            pooled.retired |= retire
            expired = self._take_expired()
            if pooled.is_expired(0.0):
                expired += self._take(pooled)
            self._changed.notify_all()
        _close(expired)

    def close_idle(self, group: str) -> bool:
        """Close the connection of a group that is unused for longest; return whether one was."""
        with self._changed:
            unused = (
                pooled
                for endpoint in self._endpoints.values()
                if endpoint.group == group
                for pooled in endpoint.pooled
                if pooled.channels == 0
            )
            oldest = min(unused, key=lambda pooled: pooled.last_used, default=None)
            expired = self._take(oldest) if oldest else []
        _close(expired)
        return bool(expired)

    def close(self) -> None:
        """Close all connections and refuse new ones."""
        with self._changed:
            self._closed = True
            everything = [c for endpoint in self._endpoints.values() for c in endpoint.pooled]
            self._endpoints.clear()
            self._changed.notify_all()
        for pooled in everything:
            pooled.connection.close()

    def _add(
        self, endpoint: _Endpoint[C], connect: Callable[[], C], channels: int
    ) -> PooledConnection[C]:
        pooled: PooledConnection[C] | None = None
        try:
            pooled = PooledConnection(connect(), channels)
        finally:
            with self._changed:
                endpoint.opening = False
                if pooled is not None and not self._closed:
                    endpoint.pooled.append(pooled)
                self._changed.notify_all()
        if self._closed:
            pooled.connection.close()
            raise PoolClosed
        return pooled

    def _take(self, pooled: PooledConnection[C]) -> list[PooledConnection[C]]:
        """Remove one connection, to be closed without the lock. The lock must be held."""
        for key, endpoint in list(self._endpoints.items()):
            if pooled in endpoint.pooled:
                endpoint.pooled.remove(pooled)
                if not endpoint.pooled and not endpoint.opening:
                    del self._endpoints[key]
                return [pooled]
        return []

    def _take_expired(
        self, key: K | None = None, keep: _Endpoint[C] | None = None
    ) -> list[PooledConnection[C]]:
        """Remove connections that are dead, retired or idle too long, to be closed unlocked.

        Those of all endpoints only once a second: there may be thousands. The lock must be held.
        """
        now, expired = time.monotonic(), list[PooledConnection[C]]()
        endpoints = [(key, keep)] if key is not None and keep is not None else []
        if now >= self._next_sweep:
            self._next_sweep = now + self._sweep_pause
            endpoints = list(self._endpoints.items())
        for name, endpoint in endpoints:
            found = [c for c in endpoint.pooled if c.is_expired(now - self._idle)]
            expired += found
            endpoint.pooled = [c for c in endpoint.pooled if c not in found]
            if not endpoint.pooled and not endpoint.opening and endpoint is not keep:
                del self._endpoints[name]
        return expired


def _close(expired: list[PooledConnection[C]]) -> None:
    for pooled in expired:
        pooled.connection.close()
