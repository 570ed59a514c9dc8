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
        self._closed = False

    def acquire(self, key: K, connect: Callable[[], C], deadline: float) -> PooledConnection[C]:
        """Return a connection to `key` with one channel taken; `connect` opens a new one.

        Raises `PoolExhausted` if none is free until `deadline` (monotonic), `PoolClosed` after
        `close`.
        """
        with self._changed:
            while True:
                if self._closed:
                    raise PoolClosed
                endpoint = self._endpoints.setdefault(key, _Endpoint())
                self._sweep(keep=endpoint)
                if best := endpoint.least_busy():
                    best.channels += 1
                    return best
                if not endpoint.opening and len(endpoint.pooled) < self._connections:
                    endpoint.opening = True
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise PoolExhausted
        return self._add(endpoint, connect)

    def release(self, pooled: PooledConnection[C], *, retire: bool = False) -> None:
        """Release one channel; `retire` keeps the connection from opening another."""
        with self._changed:
            pooled.channels -= 1
            pooled.last_used = time.monotonic()
            pooled.retired |= retire
            self._sweep()
            self._changed.notify_all()

    def close(self) -> None:
        """Close all connections and refuse new ones."""
        with self._changed:
            self._closed = True
            everything = [c for endpoint in self._endpoints.values() for c in endpoint.pooled]
            self._endpoints.clear()
            self._changed.notify_all()
        for pooled in everything:
            pooled.connection.close()

    def _add(self, endpoint: _Endpoint[C], connect: Callable[[], C]) -> PooledConnection[C]:
        pooled: PooledConnection[C] | None = None
        try:
            pooled = PooledConnection(connect(), self._channels)
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

    def _sweep(self, keep: _Endpoint[C] | None = None) -> None:
        """Close connections that are dead, retired or idle too long. The lock must be held."""
        oldest = time.monotonic() - self._idle
        for key, endpoint in list(self._endpoints.items()):
            for pooled in [c for c in endpoint.pooled if c.is_expired(oldest)]:
                endpoint.pooled.remove(pooled)
                pooled.connection.close()
            if not endpoint.pooled and not endpoint.opening and endpoint is not keep:
                del self._endpoints[key]
