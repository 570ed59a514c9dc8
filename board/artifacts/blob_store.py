"""Content-addressed files: each content once, under the SHA-256 of its bytes.

A content is streamed into `incoming/`, brought to the disk there, and only then named in `blobs/`.
The folder may be shared by several hosts (`GUARDIA_ARTIFACTS`): a file that is being received is
locked by its process, so what is left of a process that ended is known and removed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from guardia.db.private_files import fsync_folder, make_folders
from guardia.errors import Invalid, NotFound, Refused, StoreFull
from guardia.i18n import t
from guardia.settings import Settings

DIGEST = re.compile(r"[0-9a-f]{64}")
_MEGABYTE = 1 << 20
_RESERVE = 256 * _MEGABYTE
"""Bytes that stay free on the disk of the store: the database may share it."""
_LOOK_EVERY = 64 * _MEGABYTE
"""Bytes received between two looks at the free space."""


class Incoming:
    """A content that is being received; used as a context, it leaves no file behind."""

    def __init__(self, store: BlobStore, path: Path) -> None:
        self._store, self.path = store, path
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._hash = hashlib.sha256()
        self._looked = 0
        self.size = 0

    @property
    def sha256(self) -> str:
        """The digest of what was received."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `Invalid` beyond the limit, `StoreFull` without room."""
        self.size += len(data)
        self._store.require_permitted(self.size)
        if self.size - self._looked >= _LOOK_EVERY:
            self._looked = self.size
            self._store.require_space(0)
        self._hash.update(data)
        with _space_errors():
            self._file.write(data)

    def seal(self) -> None:
        """Bring the content to the disk."""
        with _space_errors():
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.path.unlink(missing_ok=True)  # its content has another name by now, if it was kept
        with suppress(OSError):
            self._file.close()


class BlobStore:
    """The folder of all uploaded contents."""

    def __init__(self, folder: Path, *, file_bytes: int, total_bytes: int) -> None:
        self.folder = folder
        self.file_bytes, self.total_bytes = file_bytes, total_bytes
        self._blobs, self._incoming = folder / "blobs", folder / "incoming"

    @classmethod
    def of(cls, settings: Settings) -> BlobStore:
        """Return the store of an installation."""
        return cls(
            settings.artifacts or settings.home / "artifacts",
            file_bytes=settings.upload_megabytes * _MEGABYTE,
            total_bytes=settings.store_gigabytes * 1024 * _MEGABYTE,
        )

    def receive(self, announced: int = 0) -> Incoming:
        """Begin to receive a content of `announced` bytes (0: not known).

        Raises `Invalid` if it is larger than permitted, `StoreFull` if the disk lacks the space.
        """
        # The account of the embedded database has to pass through the home.
        make_folders(self._blobs.parent.parent, 0o711)
        for folder in (self._blobs, self._incoming):
            make_folders(folder, 0o700)
        self.require_permitted(announced)
        self.require_space(announced)
        return Incoming(self, self._incoming / secrets.token_hex(16))

    def require_permitted(self, size: int) -> None:
        """Raise `Invalid` if a content of this size is too large."""
        if size > self.file_bytes:
            most = self.file_bytes // _MEGABYTE
            raise Invalid(what=t("artifacts.file"), why=t("artifacts.too_large", most=most))

    def require_space(self, size: int) -> None:
        """Raise `StoreFull` if the disk has no room for so many bytes."""
        free = shutil.disk_usage(self.folder).free
        if free - size < _RESERVE:
            raise StoreFull(why=t("artifacts.disk_full", free=free // _MEGABYTE))

    def keep(self, incoming: Incoming) -> None:
        """Give a sealed content its name, unless the store has it already."""
        target = self.path(incoming.sha256)
        make_folders(target.parent, 0o700)
        if not (target.exists() and target.stat().st_size == incoming.size):
            incoming.path.replace(target)
            fsync_folder(target.parent)

    def path(self, sha256: str) -> Path:
        """Return the path of a content."""
        if not DIGEST.fullmatch(sha256):
            raise NotFound(what=sha256[:80])
        return self._blobs / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """Open a content for reading. Raises `Refused` if this host does not have it."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise Refused(why=t("artifacts.not_here", sha256=sha256[:12])) from None

    def remove(self, sha256: str) -> None:
        """Remove a content."""
        self.path(sha256).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Yield the digest of every content."""
        for path in self._blobs.glob("??/*"):
            if DIGEST.fullmatch(path.name):
                yield path.name

    def remove_unfinished(self) -> int:
        """Remove what processes that ended have left of their uploads; return how many."""
        removed = 0
        for path in self._incoming.glob("*"):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                removed += 1
        return removed


class _space_errors:
    """Turn a full disk into `StoreFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(why=t("artifacts.disk_full", free=0)) from error
