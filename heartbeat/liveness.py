"""How a worker tells whoever watches its process that it works: systemd, or a file's time."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


class Liveness:
    """Signs of life of one process, to systemd where it has started us, and to a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._ready_sent = False

    def alive(self) -> None:
        """The database has taken a sign of life: this worker can work."""
        self._notify("WATCHDOG=1" if self._ready_sent else "READY=1\nWATCHDOG=1")
        self._ready_sent = True
        if self._file is not None:
            self._file.touch()

    def closing(self) -> None:
        """It takes no more work; no file says that it is alive any longer."""
        self._notify("STOPPING=1")
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        # An @ stands for the zero byte of Linux's abstract names.
        address = self._address.replace("@", "\0", 1)
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
            notify_socket.sendto(state.encode(), address)
