"""LISTEN/NOTIFY channel for events that have just been committed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from guardia.db.engine import CONNECTION_OPTIONS, driver_connection

CHANNEL = "guardia_event"


def announce(session: Session, **event: Any) -> None:
    """Notify listeners if and when this transaction commits. Ids only, no content."""
    driver_connection(session).execute("select pg_notify(%s, %s)", (CHANNEL, message(**event)))


def message(**event: Any) -> str:
    """Return an event's payload, for code that notifies in a statement of its own."""
    return json.dumps(event)


def listen(dsn: str, *, timeout: float | None = None) -> Iterator[dict[str, Any] | None]:
    """Yield committed events as they arrive, and `None` after every `timeout` quiet seconds."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"listen {CHANNEL}")
        yield None
        while True:
            for notification in connection.notifies(timeout=timeout):
                yield json.loads(notification.payload)
            yield None


async def stream(dsn: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield committed events as they arrive; reconnect while the server restarts.

    Yields an empty event after every (re)connect: read again, something may have been missed.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, **CONNECTION_OPTIONS
            ) as connection:
                await connection.execute(f"listen {CHANNEL}")
                yield {}
                async for notification in connection.notifies():
                    yield json.loads(notification.payload)
        except psycopg.OperationalError:
            await asyncio.sleep(1)
