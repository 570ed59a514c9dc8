"""Liveness of a worker process, reported to systemd and by a file's modification time."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


class Liveness:
    """Reports of one process, to systemd if it started us, and to a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._ready_sent = False

    def report_alive(self) -> None:
        """Report that the worker can work: the database has accepted its latest report."""
        self._notify("WATCHDOG=1" if self._ready_sent else "READY=1\nWATCHDOG=1")
        self._ready_sent = True
        if self._file is not None:
            self._file.touch()

    def report_closing(self) -> None:
        """Report that the worker takes no more jobs, and remove the file."""
        self._notify("STOPPING=1")
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        # A leading @ denotes Linux's abstract socket names, which begin with a zero byte.
        address = self._address.replace("@", "\0", 1)
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
            notify_socket.sendto(state.encode(), address)
