"""One HTTP connection: uvicorn's protocol, which reports to the book what it is doing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from guardia.board.site.connection_book import ConnectionBook, Phase, Slot
from guardia.board.web.body_limits import is_upload

DRAIN_SECONDS = 60.0
"""Seconds in which a client must have read what is ready for it."""


class BoundedConnection(H11Protocol):
    """Ends by the book's rules, or if its client does not read."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        book: ConnectionBook,
        slot: Slot,
        head: bytes,
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._book, self._slot, self._head = book, slot, head
        self._unread_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; from now on, ending the place ends the transport."""
        super().connection_made(transport)
        self._slot.end = transport.abort
        if self._head:
            # Before anything that arrives later: the transport does not read yet.
            self.loop.call_soon(self.data_received, self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and give the place back."""
        super().connection_lost(exc)
        self._book.remove(self._slot)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        super().data_received(data)
        self._report()

    def on_response_complete(self) -> None:
        """Wait for the next request; remember that a signed-in person was here."""
        if "visitor" in self.scope.get("state", {}):
            self._slot.is_known = True
        super().on_response_complete()
        self._report()

    def end_if_unread(self, now: float) -> bool:
        """End the connection if its client has not read for too long; return whether it did."""
        if self.transport.get_write_buffer_size() == 0:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > DRAIN_SECONDS:
            self.transport.abort()
            return True
        return False

    def _report(self) -> None:
        self._book.enter(self._slot, self._phase(), time.monotonic())

    def _phase(self) -> Phase:
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            return Phase.UPLOAD if self._is_upload() else Phase.BODY
        # Before the first request there is none; uvicorn's annotation does not say so.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            return Phase.ANSWER
        return Phase.HEAD if cycle is None or self.conn.trailing_data[0] else Phase.IDLE

    def _is_upload(self) -> bool:
        """Return whether a person who is signed in is sending a file."""
        scope = self.scope
        known = "visitor" in scope.get("state", {})
        return known and is_upload(scope["path"], scope["method"])
