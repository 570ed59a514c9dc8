"""A TCP proxy that cuts its connections after a number of bytes, or lets the server answer late."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress


class CuttingProxy:
    """Forwards to a port; the first `cuts` connections end after `after` bytes of the client.

    The first answer of the server waits for `late` seconds.
    """

    def __init__(self, target: int, after: int, cuts: int = 1, late: float = 0.0) -> None:
        self._target, self._after, self._cuts = target, after, cuts
        self._late = late
        self.sent: list[int] = []
        """Bytes that the client sent over each connection."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                number = len(self.sent)
                self.sent.append(0)
                limit = self._after if number < self._cuts else None
                for pair in ((client, server, number, limit), (server, client, None, None)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(
        self, read: socket.socket, write: socket.socket, number: int | None, limit: int | None
    ) -> None:
        with suppress(OSError):
            if number is None:
                time.sleep(self._late)
            while data := read.recv(65_536):
                if number is not None:
                    self.sent[number] += len(data)
                    if limit is not None and self.sent[number] > limit:
                        break
                write.sendall(data)
        for end in (read, write):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
