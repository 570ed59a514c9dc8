"""Live pages: one LISTEN connection per process, fanned out to every open page.

A page only learns *that* something changed and reads again what it may see. So no event has to be
queued: a page with a pending signal needs no second one. One that reconnects names the entry of the
audit log up to which it has read, and learns whether anything since then concerns it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from guardia.board.audit import log as audit_log
from guardia.board.core.context import BoardContext
from guardia.board.execution import live_output
from guardia.board.execution.live_output import OutputTails
from guardia.board.issues import visibility
from guardia.board.remote_console.records import EVENT as REMOTE
from guardia.board.remote_console.records import require_reader
from guardia.board.runs.beats import BEAT
from guardia.board.site import replay
from guardia.board.site.capacity import most_streams
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor, signed_in_person
from guardia.db import events
from guardia.db.engine import OUTAGE_ERRORS
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_PAUSE = 0.3
"""Seconds between two messages to one page: a burst of events is one message."""
_HEARTBEAT = 15.0
"""Seconds after which an idle connection gets a comment line and its session is checked again."""
_REMEMBERED = 2000
_SWITCH_KINDS = replay.SWITCH_KINDS
_DISPLACED = "displaced"
"""Id of the last event of a closed stream. A browser reconnects with it and gets the answer that
ends it; otherwise two pages of one person would close each other for ever."""


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """How many pages may be open."""

    per_person: int
    total: int

    @classmethod
    def of(cls, settings: Settings) -> StreamBounds:
        """Return the bounds of an installation."""
        return cls(settings.streams_per_person, most_streams(settings))


@dataclass(eq=False, slots=True)
class LivePage:
    """One open page."""

    person: PersonInfo
    sr_id: int | None
    """Number of the issue it shows; `None` for the list."""
    beats: bool = False
    """Whether it shows agents' runs, which are not all in the audit log."""
    run: int | None = None
    """The run of the remote console that it shows, whose steps are not all in the audit log."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    has_output: bool = False
    """Whether a running command of its issue has printed something."""
    has_change: bool = False
    """Whether anything else that it shows has changed."""
    is_displaced: bool = False
    """Whether a newer page of the same person has taken its place."""

    def take_events(self) -> list[str]:
        """Return the names of the events to send now."""
        names = ["issue"] * self.has_change + ["output"] * self.has_output
        self.has_change = self.has_output = False
        return names

    def signal(self) -> None:
        """Let the page read again what it shows."""
        self.has_change = True
        self.changed.set()


class LiveFeed:
    """Signals open pages that something they show has changed."""

    def __init__(self, board: BoardContext, bounds: StreamBounds) -> None:
        self._board, self.bounds = board, bounds
        self._pages: dict[LivePage, None] = {}
        """The open pages, the oldest first."""
        self._last: OrderedDict[int, int] = OrderedDict()
        """Entry number of the last event by issue."""
        self._latest = 0
        self._handled = 0
        """Up to this entry, all pages that it concerns have been signalled."""
        self._floor = 0
        """Up to this entry, events may have been forgotten here; the audit log has them."""
        self.outputs = OutputTails()
        self._listening = asyncio.Event()
        self._closed = False

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                dsn = self._board.database.dsn
                async for event in events.stream(dsn, live_output.CHANNEL):
                    await (self._on_event(event) if event else self._on_connected())
            except Exception:
                log.exception("live events")
                await asyncio.sleep(1)

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait until the first connection listens, for at most `seconds`."""
        try:
            await asyncio.wait_for(self._listening.wait(), seconds)
        except TimeoutError:
            log.warning("live events: the database does not answer yet")

    def close(self) -> None:
        """End every stream at once, so that a stopping server need not wait for its pages."""
        self._closed = True
        for page in self._pages:
            page.signal()

    async def _on_connected(self) -> None:
        # Events before the connection were missed, so every page reads again.
        self._floor = self._latest = await run_in_threadpool(_position, self._board)
        self._handled = self._latest
        self._listening.set()
        for page in self._pages:
            page.signal()

    async def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("channel") == live_output.CHANNEL:
            self._on_output(event["event"])
            return
        if event.get("kind") == BEAT:
            for page in self._pages:
                if page.beats:
                    page.signal()
            return
        if event.get("kind") == REMOTE:
            for page in self._pages:
                if page.run == event.get("run"):
                    page.signal()
            return
        seq, sr_id = int(event.get("seq") or 0), event.get("sr_id")
        self._latest = max(self._latest, seq)
        if event.get("kind") in _SWITCH_KINDS:
            # The band of the kill switch is on every page.
            self._floor = max(self._floor, seq)
            for page in self._pages:
                page.signal()
        if sr_id is not None:
            await self._signal_readers(sr_id, seq)
        self._handled = max(self._handled, seq)

    async def _signal_readers(self, sr_id: int, seq: int) -> None:
        """Signal the pages that show an issue."""
        self._last[sr_id] = seq
        self._last.move_to_end(sr_id)
        if len(self._last) > _REMEMBERED:
            self._floor = max(self._floor, self._last.popitem(last=False)[1])
        owner = await self._owner(sr_id)
        for page in self._pages:
            if page.run is None and page.sr_id in {None, sr_id} and _may_see(page, owner):
                page.signal()

    def _on_output(self, event: dict[str, Any]) -> None:
        """Signal the pages of an issue whose command has printed something."""
        sr_id = self.outputs.put(event)
        for page in self._pages:
            if page.sr_id == sr_id and is_allowed(page.person, "plan.read"):
                page.has_output = True
                page.changed.set()

    async def _owner(self, sr_id: int) -> str | None:
        """Return the institution of an issue; only looked up if a customer watches."""
        if not any(p.person.role == "customer" for p in self._pages):
            return None
        return await run_in_threadpool(visibility.institution_of, self._board, sr_id)

    def has_missed(self, page: LivePage, seen: int) -> bool:
        """Return whether something may have happened since the page was rendered."""
        if page.beats or page.run is not None or seen < self._floor:
            return True
        return (self._latest if page.sr_id is None else self._last.get(page.sr_id, 0)) > seen

    async def _has_missed_any(self, page: LivePage, seen: int) -> bool:
        """Return the same; what this process does not remember is looked up in the audit log."""
        if not self.has_missed(page, seen):
            return False
        if page.beats or page.run is not None or seen == 0 or seen >= self._floor:
            return True
        try:
            return await run_in_threadpool(replay.has_entries, self._board, page, seen)
        except OUTAGE_ERRORS:
            return True

    async def stream(self, page: LivePage, token: str, seen: int) -> AsyncIterator[str]:
        """Yield server-sent events for one page until it closes, signs out, or the server stops.

        The id of an event is the position before it, and the next pause confirms it: a page whose
        connection ends while it reads again gets the event once more.
        """
        if await self._has_missed_any(page, seen):
            page.signal()
        self._enter(page)
        checked_at, cursor = time.monotonic(), seen
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                changed = await _wait_for(page.changed, _HEARTBEAT)
                if self._closed:
                    return
                if page.is_displaced:
                    yield f"id: {_DISPLACED}\nevent: displaced\ndata:\n\n"
                    return
                if time.monotonic() - checked_at >= _HEARTBEAT:
                    if await run_in_threadpool(signed_in_person, self._board, token) is None:
                        return
                    checked_at = time.monotonic()
                if changed:
                    page.changed.clear()
                    for name in page.take_events():
                        yield f"id: {cursor}\nevent: {name}\ndata: {self._latest}\n\n"
                    await asyncio.sleep(_PAUSE)
                else:
                    cursor = max(cursor, self._handled)
                    yield f": still here\nid: {cursor}\n\n"
        finally:
            self._pages.pop(page, None)

    def has_room(self, page: LivePage) -> bool:
        """Return whether a page finds a place: a free one, or one that its person has already."""
        theirs = self._pages_of(page.person)
        return len(self._pages) < self.bounds.total or len(theirs) >= self.bounds.per_person

    def _enter(self, page: LivePage) -> None:
        """Add a page; the oldest of the same person are closed, and never another person's."""
        theirs = self._pages_of(page.person)
        for oldest in theirs[: max(0, len(theirs) - self.bounds.per_person + 1)]:
            del self._pages[oldest]
            oldest.is_displaced = True
            oldest.changed.set()
        self._pages[page] = None

    def _pages_of(self, person: PersonInfo) -> list[LivePage]:
        return [page for page in self._pages if page.person.id == person.id]


def _may_see(page: LivePage, owner: str | None) -> bool:
    return page.person.role != "customer" or (
        owner is not None and owner == page.person.institution
    )


def _position(board: BoardContext) -> int:
    with board.database.reading() as session:
        return audit_log.snapshot_size(session)


async def _wait_for(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _cursor(text: str) -> int:
    """Return the position up to which a reconnecting page has read."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


@router.get("/events")
async def subscribe(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    seen: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    *,
    beats: bool = False,
    run: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Stream events of one issue, of one run of the remote console, or of all visible issues.

    `beats` adds agents' runs.
    """
    feed: LiveFeed = request.app.state.feed
    if request.headers.get("last-event-id") == _DISPLACED:
        return Response(status_code=204)
    if sr is not None:
        await run_in_threadpool(visibility.require_issue, board, visitor.person, sr)
    seen = max(seen, _cursor(request.headers.get("last-event-id", "")))
    if run is not None:
        require_reader(visitor.person, run)
    page = LivePage(visitor.person, sr, beats, run)
    if not feed.has_room(page):
        raise HTTPException(503, headers={"Retry-After": "30"})
    stream = feed.stream(page, visitor.token, seen)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
