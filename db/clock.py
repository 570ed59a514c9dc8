"""The database's time: the only time that is stored or compared.

A process asks the database now and then, and in between counts on with the kernel's clock that
cannot be set. So neither a wrong clock of this host nor a jump of any clock reaches an entry, a
session or a deadline. A host whose clock is off does not work, because its logs, certificates and
schedules would be wrong all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from guardia.errors import ClockOff

log = logging.getLogger(__name__)

LIMIT = 5.0
"""Seconds by which a clock may be off."""
_EVERY = 30.0
"""Seconds after which the database is asked again."""
_AGAIN = 2.0
"""The same after an answer that cannot be used."""
_TIMEOUT = 3


def _steady_seconds() -> float:
    """Return seconds of a clock that cannot be set and that counts while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class DatabaseClock:
    """Returns the database's time; refuses while this host's clock or the database's is off."""

    def __init__(
        self, dsn: str, limit: float = LIMIT, *, host_clock: Callable[[], float] = time.time
    ) -> None:
        self._dsn, self._limit, self._host_clock = dsn, limit, host_clock
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._anchor = datetime.min.replace(tzinfo=UTC)
        self._anchor_at = 0.0
        self._next_question = 0.0
        self._database_jump = 0.0
        self._said = False

    def __call__(self) -> datetime:
        """Return the time. Raises `ClockOff` if a clock is off."""
        now = self.time()
        problem = self._problem(now)
        if problem is not None:
            if not self._said:
                log.error("%s", problem)
            self._said = True
            raise problem
        self._said = False
        return now

    def time(self) -> datetime:
        """Return the time even if this host may not work, for reads and for stopping."""
        with self._lock:
            if _steady_seconds() >= self._next_question:
                self._ask()
            return self._anchor + timedelta(seconds=_steady_seconds() - self._anchor_at)

    def offset(self) -> float:
        """Return by how many seconds this host's clock is ahead of the database's."""
        return self._host_clock() - self.time().timestamp()

    def problem(self) -> ClockOff | None:
        """Return what is wrong with the clocks, or `None`."""
        return self._problem(self.time())

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _problem(self, now: datetime) -> ClockOff | None:
        limit = f"{self._limit:g}"
        if self._database_jump:
            return ClockOff(key="database", seconds=round(self._database_jump), limit=limit)
        off = self._host_clock() - now.timestamp()
        if abs(off) > self._limit:
            return ClockOff(key="host", seconds=round(off), limit=limit)
        return None

    def _ask(self) -> None:
        """Ask the database; raises only if it has never answered."""
        begun = _steady_seconds()
        try:
            found = self._database_time()
        except psycopg.Error:
            self._connection = None
            if not self._anchor_at:
                raise
            self._next_question = begun + _AGAIN
            return
        ended = _steady_seconds()
        if ended - begun > self._limit and self._anchor_at:
            self._next_question = ended + _AGAIN  # too slow to tell the time
            return
        self._take(found, (begun + ended) / 2)

    def _take(self, found: datetime, at: float) -> None:
        expected = self._anchor + timedelta(seconds=at - self._anchor_at)
        jump = (found - expected).total_seconds() if self._anchor_at else 0.0
        if abs(jump) > self._limit:
            # Kept from before the jump, until it is undone or a person starts this process again.
            self._database_jump, self._next_question = jump, at + _AGAIN
            return
        self._anchor, self._anchor_at, self._database_jump = found, at, 0.0
        self._next_question = at + _EVERY

    def _database_time(self) -> datetime:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=_TIMEOUT,
                tcp_user_timeout=_TIMEOUT * 1000,
                options="-c timezone=UTC",
                application_name="guardia clock",
            )
        row = self._connection.execute("select clock_timestamp()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment
