"""A file that keeps room on the database's disk, for what must be written when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 48 << 20
"""PostgreSQL writes its log in pieces of 16 MiB, so less could be too little."""


class DiskReserve:
    """The reserve of one folder: its blocks are allocated, so that nothing else can take them."""

    def __init__(self, folder: Path, size: int = RESERVE_BYTES) -> None:
        self.file = folder / "reserve"
        self.size = size

    @property
    def is_kept(self) -> bool:
        """Whether the reserve has its full size."""
        with suppress(OSError):
            return self.file.stat().st_size >= self.size
        return False

    def ensure(self) -> bool:
        """Create the reserve if the disk has three times the room; return whether it is there."""
        if self.is_kept:
            return True
        try:
            found = os.statvfs(self.file.parent)
            if found.f_bavail * found.f_frsize < 3 * self.size:
                return False
            self._fill()
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Free the room; return whether there was any."""
        with suppress(OSError):
            freed = self.file.stat().st_size > 0
            os.truncate(self.file, 0)  # an unlinked file would keep its blocks while it is open
            return freed
        return False

    def release_if_full(self) -> bool:
        """Free the room if the disk has almost none left; return whether room was freed."""
        with suppress(OSError):
            found = os.statvfs(self.file.parent)
            return found.f_bavail * found.f_frsize < self.size and self.release()
        return False

    def _fill(self) -> None:
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
