"""Small private files: locks that the kernel frees, and JSON that is written atomically."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from guardia.errors import Misconfigured
from guardia.i18n import t


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(path: Path) -> int | None:
    """Return the lock's descriptor, or `None` if another process has the lock."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock during the block."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's object, empty if there is no file. Raises `Misconfigured` if unreadable."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(what=str(path), why=t("db.embedded.unreadable")) from error
    except (ValueError, RecursionError) as error:
        raise Misconfigured(what=str(path), why=t("db.embedded.damaged")) from error
    if not isinstance(found, dict):
        raise Misconfigured(what=str(path), why=t("db.embedded.damaged"))
    return found


def write_json(path: Path, value: dict[str, Any], *, new: bool = True) -> None:
    """Replace a file by this object, readable by our account only; see `replace_file`."""
    replace_file(path, json.dumps(value).encode("utf-8"), new=new)


def replace_file(path: Path, content: bytes, mode: int = 0o600, *, new: bool = True) -> None:
    """Replace a file as a whole: after a power failure it holds either the old or the new content.

    The content is on the disk before the file gets its name, and, if that must be `new`, the name
    before this returns.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if new:
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_private(path: Path) -> BinaryIO:
    """Open a log for appending that only our account can read, also one of an earlier version."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def make_folders(path: Path, mode: int) -> None:
    """Create `path` and missing parents with this mode, regardless of the umask."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
