"""What was read from a file, read again only after the file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_T = TypeVar("_T")


class FileCache(Generic[_T]):
    """The value of one file."""

    def __init__(self, read: Callable[[Path], _T]) -> None:
        self._read = read
        self._known: tuple[tuple[Path, int, int, int], _T] | None = None

    def get(self, path: Path) -> _T:
        """Return the file's value. Raises what `read` raises, and `OSError` without a file."""
        found = path.stat()
        # A file is replaced as a whole, so a new content has a new number, size or time.
        version = (path, found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known
        if known is None or known[0] != version:
            # Read after `stat`: a file that changes in between is read again the next time.
            self._known = known = (version, self._read(path))
        return known[1]

    def find(self, path: Path) -> _T | None:
        """Return the file's value, or `None` without a file."""
        try:
            return self.get(path)
        except FileNotFoundError:
            return None
