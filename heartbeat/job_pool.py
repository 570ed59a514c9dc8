"""Connections of the job queue, without the round trips that its statements do not need.

Each statement of procrastinate is a transaction of its own, so none is opened around it. A
connection is asked whether it still works only if it was unused for a while: one that broke since
fails at its statement, and `JobManager` repeats that.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from guardia.db.engine import CONNECTION_OPTIONS

_ASK_AFTER = 1.0
"""Seconds for which a connection must have been unused to be asked."""


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that knows since when it is unused."""

    unused_since = 0.0


def create_pool(**options: Any) -> AsyncConnectionPool[Any]:
    """Return the pool of procrastinate's connector, with our options of connections."""
    own: dict[str, Any] = {"configure": _configure, "check": _check, "reset": _note_return}
    own["kwargs"] = dict(CONNECTION_OPTIONS)
    return AsyncConnectionPool(**{**options, **own}, connection_class=_Connection)


async def _configure(connection: _Connection) -> None:
    await connection.set_autocommit(True)


async def _note_return(connection: _Connection) -> None:
    connection.unused_since = time.monotonic()


async def _check(connection: _Connection) -> None:
    if time.monotonic() - connection.unused_since > _ASK_AFTER:
        await AsyncConnectionPool.check_connection(connection)
