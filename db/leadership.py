"""One process of all hosts does something: the one whose session has an advisory lock."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg

from guardia.db.engine import CONNECTION_OPTIONS

_TRY = "select pg_try_advisory_lock(hashtextextended(%s, 0))"


class Leadership:
    """A lock that PostgreSQL frees when this process or its session ends."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn, self._name = dsn, name
        self._session: psycopg.Connection[Any] | None = None

    def acquire(self) -> bool:
        """Return whether this process has the lock now. Raises `psycopg.OperationalError`."""
        if self.is_held():
            return True
        session = psycopg.connect(self._dsn, autocommit=True, **CONNECTION_OPTIONS)
        row = session.execute(_TRY, [self._name]).fetchone()
        if row is None or not row[0]:
            session.close()
            return False
        self._session = session
        return True

    def is_held(self) -> bool:
        """Return whether the session with the lock still works."""
        if self._session is None:
            return False
        try:
            self._session.execute("select 1")
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the lock to another process."""
        if self._session is not None:
            with suppress(psycopg.Error):
                self._session.close()
            self._session = None
