"""Accept connections within the bounds of a connection book, with or without TLS.

uvicorn's own listener accepts every connection: a flood then uses up the process's files, and each
failed `accept` is a traceback in the log.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from guardia.board.site.connection_book import ConnectionBook, Slot

log = logging.getLogger(__name__)

_HANDSHAKE_SECONDS = 10.0
_TLS_CLOSE_SECONDS = 1.0
_PAUSE = 0.2
"""Seconds without accepting after the system has refused a connection."""
_UNREAD_MILLISECONDS = 45_000
"""After so long without an acknowledgement, the kernel ends a connection whose client is gone."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 24\r\n\r\n"
    b"too many connections\r\n\r\n"
)
_GONE = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM}


class Acceptor:
    """Accepts from one listening socket until cancelled."""

    def __init__(
        self,
        listener: socket.socket,
        book: ConnectionBook,
        make_protocol: Callable[[Slot], asyncio.Protocol],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._listener, self._book = listener, book
        self._make_protocol, self._tls = make_protocol, tls
        self._opening: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno not in _GONE:
                    log.warning("no further connection can be accepted: %s", error.strerror)
                    await asyncio.sleep(_PAUSE)
                continue
            self._open(accepted, str(address[0]))

    def close(self) -> None:
        """End the connections that are still being opened."""
        for task in self._opening:
            task.cancel()

    def _open(self, accepted: socket.socket, address: str) -> None:
        slot = self._book.admit(address, time.monotonic())
        if slot is None:
            log.warning("connection of %s refused: all places are taken", address)
            self._refuse(accepted)
            return
        _set_options(accepted)
        task = asyncio.create_task(self._connect(accepted, slot))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

        def end() -> None:
            task.cancel()

        slot.end = end

    async def _connect(self, accepted: socket.socket, slot: Slot) -> None:
        loop, context = asyncio.get_running_loop(), self._tls()
        seconds = _HANDSHAKE_SECONDS if context else None
        try:
            await loop.connect_accepted_socket(
                lambda: self._make_protocol(slot),
                accepted,
                ssl=context,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS if context else None,
            )
        except OSError as error:
            # A client that does not trust the certificate, speaks plain HTTP, or says nothing.
            log.debug("no TLS with %s: %s", slot.address, type(error).__name__)
            self._book.remove(slot)
        except asyncio.CancelledError:
            self._book.remove(slot)
            accepted.close()
            raise

    def _refuse(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            if self._tls() is None:
                accepted.setblocking(False)
                accepted.send(_FULL)


def _set_options(accepted: socket.socket) -> None:
    if accepted.family in {socket.AF_INET, socket.AF_INET6}:
        # Headers and body are two packets: Nagle's algorithm would delay each response by 40 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
