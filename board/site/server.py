"""HTTP server: uvicorn with bounds on connections, TLS, and live streams that end when it stops."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
import time

import uvicorn
from fastapi import FastAPI

from guardia.addresses import parse_networks
from guardia.board.site.acceptor import Acceptor
from guardia.board.site.capacity import most_connections
from guardia.board.site.connection import BoundedConnection
from guardia.board.site.connection_book import Bounds, ConnectionBook, Phase, Slot
from guardia.board.site.tls import TlsFiles
from guardia.board.web.body_limits import LONGEST_SECONDS, UPLOAD_SECONDS
from guardia.settings import Settings

log = logging.getLogger(__name__)

_GRACE = 3
_BACKLOG = 4096
_IDLE_SECONDS = 20
_HEAD_SECONDS = 10.0
_TICKS = 10
"""Every how many ticks of uvicorn (0.1 s each) connections and certificate are looked at."""


class BoardServer(uvicorn.Server):
    """Keeps connections within bounds; ends the live streams before it waits for connections."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        settings: Settings = app.state.settings
        self._tls = TlsFiles.of(settings)
        self.book = ConnectionBook(_bounds(settings), parse_networks(settings.trusted_proxies))
        self._acceptors: list[Acceptor] = []
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept connections from the sockets."""
        await super().startup([])
        for listener in sockets or []:
            listener.listen(_BACKLOG)
            acceptor = Acceptor(listener, self.book, self._connection, self._context)
            self._acceptors.append(acceptor)
        self._reload_on_hangup()

    async def on_tick(self, counter: int) -> bool:
        """Once a second, end what takes too long and read a changed certificate."""
        if counter % _TICKS == 0:
            now = time.monotonic()
            self.book.end_overdue(now)
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedConnection):
                    connection.end_if_unread(now)
            if self._tls is not None:
                await asyncio.to_thread(self._tls.reload_if_changed)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. Without closing the feed, a single open page would block the whole process."""
        self._app.state.feed.close()
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _connection(self, slot: Slot, head: bytes) -> BoundedConnection:
        return BoundedConnection(
            self.config, self.server_state, self.lifespan.state, self.book, slot, head
        )

    def _context(self) -> ssl.SSLContext | None:
        return self._tls.context if self._tls else None

    def _reload_on_hangup(self) -> None:
        if self._tls is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._tls.reload)


def _bounds(settings: Settings) -> Bounds:
    """Return the bounds on connections, below the limit of open files."""
    total = most_connections(settings)
    seconds = {
        Phase.HEAD: _HEAD_SECONDS,
        Phase.BODY: LONGEST_SECONDS,
        Phase.UPLOAD: UPLOAD_SECONDS,
        Phase.IDLE: _IDLE_SECONDS,
    }
    return Bounds(total, total // 2, seconds)
