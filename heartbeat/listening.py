"""What a worker does at once when the board says that something has happened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass

from guardia.board.desk import Desk
from guardia.db import events

log = logging.getLogger(__name__)

ORDERS = frozenset({"killed", "ordered", "timed_out", "handed_on"})
"""Entries of the record after which a running command may have lost its agent's hold."""
CHART = frozenset({"org_applied"})
"""Entries after which the clock must look at the org chart."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do after entries of these kinds, and after every (re)connect: while nobody
    listened, one may have been missed."""

    kinds: frozenset[str]
    act: Callable[[], object]
    missed: Callable[[], object] | None = None
    """Instead of ``act`` after a (re)connect."""


async def listen(desk: Desk, reactions: tuple[Reaction, ...]) -> None:
    """React to the board's events, until cancelled."""
    # Threads of their own: beats may occupy all of the loop's.
    with ThreadPoolExecutor(len(reactions), "reaction") as own:
        while True:
            try:
                async with aclosing(events.stream(desk.database.dsn)) as stream:
                    async for event in stream:
                        _react(event.get("kind", "") if event else None, reactions, own)
            except Exception:
                log.exception("listening to the board")
                await asyncio.sleep(1)


def _react(kind: str | None, reactions: tuple[Reaction, ...], own: ThreadPoolExecutor) -> None:
    for reaction in reactions:
        if kind is None:
            own.submit(_safely, reaction.missed or reaction.act)
        elif kind in reaction.kinds:
            own.submit(_safely, reaction.act)


def _safely(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        log.exception("reacting to the board")
