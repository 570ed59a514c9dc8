"""Accept connections within the bounds of a connection book, with or without TLS.

uvicorn's own listener accepts every connection: a flood then uses up the process's files, and each
failed `accept` is a traceback in the log. Here a connection costs a parser and a transport only
once it has sent the head of a request, so that a flood of half-open ones is cheap.
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

from guardia.board.site.connection_book import ConnectionBook, Phase, Slot

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""Connections that are accepted before anything else is done."""
_HEAD_BYTES = 16 * 1024
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
    """Accepts from one listening socket, in the running loop, until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        book: ConnectionBook,
        make_protocol: Callable[[Slot, bytes], asyncio.Protocol],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._listener, self._book = listener, book
        self._make_protocol, self._tls = make_protocol, tls
        self._loop = asyncio.get_running_loop()
        self._opening: dict[Slot, None] = {}
        self._closed = False
        listener.setblocking(False)
        self._start()

    def close(self) -> None:
        """Accept no more, and end the connections that have not sent a request yet."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        for slot in list(self._opening):
            slot.end()

    def _start(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                log.warning("no further connection can be accepted: %s", error.strerror)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE, self._start)
                return
            self._admit(accepted, str(address[0]))

    def _admit(self, accepted: socket.socket, address: str) -> None:
        accepted.setblocking(False)
        slot = self._book.admit(address, time.monotonic())
        if slot is None:
            log.warning("connection of %s refused: all places are taken", address)
            self._refuse(accepted)
            return
        self._opening[slot] = None
        slot.end = lambda: self._end(accepted, slot)
        head = bytearray()
        # Under load a request has usually arrived already, and then it is not half-open.
        if self._tls() is not None or not self._read(accepted, slot, head):
            self._loop.add_reader(accepted, self._read_more, accepted, slot, head)

    def _read_more(self, accepted: socket.socket, slot: Slot, head: bytearray) -> None:
        if self._tls() is not None:
            self._begin(accepted, slot, head)
        else:
            self._read(accepted, slot, head)

    def _read(self, accepted: socket.socket, slot: Slot, head: bytearray) -> bool:
        """Read more of a head; return whether it is complete, or the client gone."""
        try:
            received = accepted.recv(_HEAD_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            received = b""
        if not received:
            self._end(accepted, slot)
            return True
        head += received
        if not _is_head(head):
            return False
        self._book.enter(slot, Phase.ANSWER, time.monotonic())
        self._begin(accepted, slot, head)
        return True

    def _begin(self, accepted: socket.socket, slot: Slot, head: bytearray) -> None:
        """Hand the connection over to HTTP, after the handshake with TLS."""
        self._loop.remove_reader(accepted)
        _set_options(accepted)
        task = self._loop.create_task(self._connect(accepted, slot, bytes(head)))

        def end() -> None:
            task.cancel()

        slot.end = end

    def _end(self, accepted: socket.socket, slot: Slot) -> None:
        self._loop.remove_reader(accepted)
        accepted.close()
        self._forget(slot)

    def _forget(self, slot: Slot) -> None:
        self._opening.pop(slot, None)
        self._book.remove(slot)

    async def _connect(self, accepted: socket.socket, slot: Slot, head: bytes) -> None:
        context = self._tls()
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make_protocol(slot, head),
                accepted,
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if context else None,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS if context else None,
            )
            self._opening.pop(slot, None)
        except OSError as error:
            # A client that does not trust the certificate, speaks plain HTTP, or says nothing.
            log.debug("no TLS with %s: %s", slot.address, type(error).__name__)
            self._forget(slot)
        except asyncio.CancelledError:
            self._forget(slot)
            accepted.close()
            raise

    def _refuse(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            if self._tls() is None:
                accepted.send(_FULL)


def _is_head(received: bytearray) -> bool:
    """Return whether these bytes are for the parser: a whole head, too much, or no HTTP at all."""
    whole = b"\n\r\n" in received or b"\n\n" in received
    return whole or len(received) >= _HEAD_BYTES or not received[:1].isalpha()


def _set_options(accepted: socket.socket) -> None:
    if accepted.family in {socket.AF_INET, socket.AF_INET6}:
        # Headers and body are two packets: Nagle's algorithm would delay each response by 40 ms.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
