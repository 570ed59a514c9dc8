"""HTTP server: uvicorn that ends live streams at once when it stops."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

_GRACE = 3


class BoardServer(uvicorn.Server):
    """Ends the live streams before waiting for open connections."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start without Nagle's algorithm, which delays responses of a given socket by 40 ms."""
        for listener in sockets or []:
            # asyncio does this only for sockets that it creates itself. Inherited on accept.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. Without closing the feed, a single open page would block the whole process."""
        self._app.state.feed.close()
        await super().shutdown(sockets)
