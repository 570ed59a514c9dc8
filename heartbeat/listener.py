"""What a worker does at once when the board says that something has happened."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.context import BoardContext
from guardia.db import events

log = logging.getLogger(__name__)

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds after each failure; the last again and again."""
_ALERT_AFTER = 4
"""So many failures later people are told."""
INTERRUPTING_KINDS = frozenset(
    {EntryKind.KILLED, EntryKind.ORDERED, EntryKind.TIMED_OUT, EntryKind.HANDED_ON}
)
"""Entries of the record after which a running command may have lost its agent's hold."""
CHART_KINDS = frozenset({EntryKind.ORG_APPLIED})
"""Entries after which the clock must look at the org chart."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do after entries of these kinds, and after every (re)connect: while nobody
    listened, one may have been missed."""

    kinds: frozenset[str]
    act: Callable[[], object]
    on_missed: Callable[[], object] | None = None
    """Instead of ``act`` after a (re)connect."""
    on_failing: Callable[[Exception], object] | None = None
    """Tells people that it fails again and again; it is tried on all the same."""


async def listen(board: BoardContext, reactions: tuple[Reaction, ...]) -> None:
    """React to the board's events, until cancelled."""
    # Threads of their own: beats may occupy all of the loop's.
    with closing(_Reactor(reactions)) as reactor:
        while True:
            try:
                async with aclosing(events.stream(board.database.dsn)) as stream:
                    async for event in stream:
                        reactor.dispatch(event.get("kind", "") if event else None)
            except Exception:
                log.exception("listening to the board")
                await asyncio.sleep(1)


class _Reactor:
    """Does what events call for, and does not rest until it is done: each event comes once."""

    def __init__(self, reactions: tuple[Reaction, ...]) -> None:
        self._reactions = reactions
        self._threads = ThreadPoolExecutor(len(reactions), "reaction")
        self._latest: dict[Callable[[], object], Future[None]] = {}
        self._closing = threading.Event()

    def dispatch(self, kind: str | None) -> None:
        """An event, or ``None`` where some may have been missed."""
        for reaction in self._reactions:
            if kind is None:
                self._submit(reaction, reaction.on_missed or reaction.act)
            elif kind in reaction.kinds:
                self._submit(reaction, reaction.act)

    def close(self) -> None:
        """Begin nothing more."""
        self._closing.set()
        self._threads.shutdown()

    def _submit(self, reaction: Reaction, act: Callable[[], object]) -> None:
        latest = self._latest.get(act)
        # What has not begun yet will see this event's cause too.
        if latest is None or latest.running() or latest.done():
            self._latest[act] = self._threads.submit(self._run_until_done, reaction, act)

    def _run_until_done(self, reaction: Reaction, act: Callable[[], object]) -> None:
        alert = reaction.on_failing
        for attempt in itertools.count(1):
            try:
                act()
            except Exception as error:
                log.exception("reacting to the board (try %s)", attempt)
                if (
                    alert is not None
                    and attempt >= _ALERT_AFTER
                    and _succeeds(partial(alert, error))
                ):
                    alert = None
                if self._closing.wait(_PAUSES[min(attempt, len(_PAUSES)) - 1]):
                    return
            else:
                return


def _succeeds(act: Callable[[], object]) -> bool:
    try:
        act()
    except Exception:
        log.exception("telling that reacting to the board fails")
        return False
    return True
