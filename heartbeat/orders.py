"""People's orders reach the commands that run in this process, at once and on every worker."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from guardia.board.desk import Desk
from guardia.db import events
from guardia.tools.execute import Gate

log = logging.getLogger(__name__)

_ORDERS = frozenset({"killed", "ordered", "handed_on"})
"""Entries of the record after which a running command may have lost its agent's hold."""


async def listen(desk: Desk, gate: Gate) -> None:
    """Interrupt what people have overruled, until cancelled."""
    loop = asyncio.get_running_loop()
    # A thread of its own: beats may occupy all of the loop's.
    with ThreadPoolExecutor(1, "orders") as alone:
        while True:
            try:
                async with aclosing(events.stream(desk.database.dsn)) as stream:
                    async for event in stream:
                        # An empty event: while nobody listened an order may have been given.
                        if not event or event.get("kind") in _ORDERS:
                            await loop.run_in_executor(alone, gate.interrupt)
            except Exception:
                log.exception("people's orders")
                await asyncio.sleep(1)
