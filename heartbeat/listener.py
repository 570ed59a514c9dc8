"""Immediate reactions of a worker to events on the board."""

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
"""Seconds to wait after each failure; the last one repeats."""
_ALERT_AFTER = 4
"""Failed attempts until people are alerted."""
INTERRUPTING_KINDS = frozenset(
    {EntryKind.KILLED, EntryKind.ORDERED, EntryKind.TIMED_OUT, EntryKind.HANDED_ON}
)
"""Audit entries after which a running command's claim may be lost."""
CHART_KINDS = frozenset({EntryKind.ORG_APPLIED})
"""Audit entries after which the scheduler must reload the org chart."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do after audit entries of these kinds, and after every (re)connect.

    Events during a disconnect are lost, so every (re)connect must assume that there was one.
    """

    kinds: frozenset[str]
    act: Callable[[], object]
    on_missed: Callable[[], object] | None = None
    """Runs instead of `act` after a (re)connect."""
    on_failing: Callable[[Exception], object] | None = None
    """Alerts people about repeated failures; the reaction is retried all the same."""


async def listen(board: BoardContext, reactions: tuple[Reaction, ...]) -> None:
    """React to the board's events until cancelled."""
    # Reactions get their own threads, because beats may occupy all threads of the loop.
    with closing(_Reactor(reactions)) as reactor:
        while True:
            try:
                async with aclosing(events.stream(board.database.dsn)) as stream:
                    async for event in stream:
                        reactor.dispatch(event.get("kind", "") if event else None)
            except Exception:
                log.exception("listening for board events failed")
                await asyncio.sleep(1)


class _Reactor:
    """Runs an event's reactions and retries until they succeed: NOTIFY delivers at most once."""

    def __init__(self, reactions: tuple[Reaction, ...]) -> None:
        self._reactions = reactions
        self._threads = ThreadPoolExecutor(len(reactions), "reaction")
        self._latest: dict[Callable[[], object], Future[None]] = {}
        self._closing = threading.Event()

    def dispatch(self, kind: str | None) -> None:
        """Start the reactions to an event; `None` means that some may have been missed."""
        for reaction in self._reactions:
            if kind is None:
                self._submit(reaction, reaction.on_missed or reaction.act)
            elif kind in reaction.kinds:
                self._submit(reaction, reaction.act)

    def close(self) -> None:
        """Start nothing new."""
        self._closing.set()
        self._threads.shutdown()

    def _submit(self, reaction: Reaction, act: Callable[[], object]) -> None:
        latest = self._latest.get(act)
        # A run that has not started yet will see this event's cause too.
        if latest is None or latest.running() or latest.done():
            self._latest[act] = self._threads.submit(self._run_until_done, reaction, act)

    def _run_until_done(self, reaction: Reaction, act: Callable[[], object]) -> None:
        alert = reaction.on_failing
        for attempt in itertools.count(1):
            try:
                act()
            except Exception as error:
                log.exception("reaction to a board event failed (attempt %s)", attempt)
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
        log.exception("alert about failing reactions could not be sent")
        return False
    return True
