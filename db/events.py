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


def send(session: Session, channel: str, payload: str) -> None:
    """Notify the listeners of another channel when this transaction commits."""
    driver_connection(session).execute("select pg_notify(%s, %s)", (channel, payload))


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


async def stream(dsn: str, *channels: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield committed events as they arrive; reconnect while the server restarts.

    Yields an empty event after every (re)connect: read again, something may have been missed. What
    arrives on one of the further `channels` is yielded as `{"channel": ..., "event": ...}`.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, **CONNECTION_OPTIONS
            ) as connection:
                for channel in (CHANNEL, *channels):
                    await connection.execute(f"listen {channel}")
                yield {}
                async for notification in connection.notifies():
                    event = json.loads(notification.payload)
                    if notification.channel != CHANNEL:
                        event = {"channel": notification.channel, "event": event}
                    yield event
        except psycopg.OperationalError:
            await asyncio.sleep(1)
