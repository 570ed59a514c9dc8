"""Copies of the checkpoints outside the database: append-only files of JSON lines."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.log import CHAIN
from guardia.board.integrity.witness_memory import CopyEnd
from guardia.db.private_files import fsync_folder

_TAIL_BYTES = 65536
"""Bytes at a copy's end that contain the beginning of its last line."""
_LAST_LINES = 4096
"""Bytes at a copy's end that contain it as a rule."""
_ORDER = {True: "copy_repeated", False: "copy_damaged"}


class CheckpointCopy:
    """One file of checkpoints outside the database."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{CHAIN}.jsonl"

    def extend(
        self, missing: Callable[[Checkpoint | None], Iterator[list[Checkpoint]]]
    ) -> CopyEnd | None:
        """Append, in batches, what `missing` yields for the file's last checkpoint.

        Returns where the last line is. Raises `OSError` if the file cannot be written,
        `ValueError` if its last line is not a checkpoint. A line cut short by a power failure is
        removed and written again.
        """
        fresh = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = _last_line(file)
            end = None if found is None else found[1]
            written = False
            for batch in missing(None if found is None else found[0]):
                end = _append(file, batch)
                written = True
            if written:
                os.fsync(file.fileno())
            if fresh:
                fsync_folder(self.path.parent)
            return end

    def find_fault(self, known: CopyEnd | None) -> str | None:
        """Return how the file differs from when its end was last known, or `None`.

        `copy_lost`, `copy_denied`, `copy_empty`; `copy_cut`: lines at the end are gone, or it is
        an older file; `copy_repeated`; `copy_damaged`: the last known line has changed, or a later
        one is no checkpoint. Raises `OSError` if the place does not answer.
        """
        if known is None:
            return None
        try:
            with self.path.open("rb") as file:
                return _find_fault(file, known)
        except FileNotFoundError:
            return "copy_lost"
        except PermissionError:
            return "copy_denied"
        except (IsADirectoryError, ValueError, RecursionError):
            return "copy_damaged"

    def read(self, until: int, after: int = 0) -> Iterator[Checkpoint]:
        """Yield the checkpoints of more than `after` entries within the first `until` bytes.

        Raises `ValueError` at a line that is not a checkpoint.
        """
        with self.path.open("rb") as file:
            file.seek(_position(file, until, after))
            while file.tell() < until and (line := file.readline(_TAIL_BYTES)):
                found = _parse(line)
                if found.size > after:
                    yield found

    def length(self) -> int | None:
        """Return the bytes of its complete lines, or `None` if the file cannot be read.

        A line without an end is still being written, or was cut short by a power failure.
        """
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _TAIL_BYTES))
                tail = file.read(min(end, _TAIL_BYTES))
        except OSError:
            return None
        return end - len(tail) + tail.rfind(b"\n") + 1


def find_disorder(sizes: list[int], after: int) -> str | None:
    """Return the fault of lines whose checkpoints do not grow, or `None`."""
    for before, size in zip([after, *sizes], sizes, strict=False):
        if size <= before:
            return _ORDER[size == before]
    return None


def _find_fault(file: BinaryIO, known: CopyEnd) -> str | None:
    length = file.seek(0, os.SEEK_END)
    if length <= known.start:
        return "copy_cut" if length else "copy_empty"
    file.seek(known.start)
    line = file.readline(_TAIL_BYTES)
    if not line.endswith(b"\n"):
        # Cut short by a power failure: the next update removes and writes it again.
        return None if length < known.end else "copy_damaged"
    last = _parse(line)
    if file.tell() != known.end or (last.size, last.identity()) != (known.size, known.identity):
        return "copy_damaged"
    later = [_parse(line).size for line in file if line.endswith(b"\n")]
    return find_disorder(later, known.size)


def _position(file: BinaryIO, until: int, after: int) -> int:
    """Return the start of a line shortly before the first checkpoint beyond `after`."""
    low, high = 0, until
    while after and high - low > _TAIL_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(_TAIL_BYTES)
        start, line = file.tell(), file.readline(_TAIL_BYTES)
        if line and start < until and _parse(line).size <= after:
            low = start
        else:
            high = middle
    return low


@lru_cache(maxsize=16)  # the last line is looked at before each signature and again after it
def _parse(line: bytes) -> Checkpoint:
    try:
        return checkpoints.parse_checkpoint(json.loads(line))
    except RecursionError:
        raise ValueError("not a checkpoint") from None


def _write(file: BinaryIO, data: bytes) -> None:
    while data:
        data = data[os.write(file.fileno(), data) :]


def _append(file: BinaryIO, batch: list[Checkpoint]) -> CopyEnd:
    """Append checkpoints at the file's end; return where the last one is."""
    lines = [f"{json.dumps(one.to_dict())}\n".encode() for one in batch]
    _write(file, b"".join(lines))
    end, last = file.seek(0, os.SEEK_END), batch[-1]
    return CopyEnd(last.size, last.identity(), end - len(lines[-1]), end)


def _last_line(file: BinaryIO) -> tuple[Checkpoint, CopyEnd] | None:
    """Return the last checkpoint and where it is; removes a line cut short."""
    end, start, whole, torn = _tail(file)
    if torn:
        end -= len(torn)
        file.truncate(end)
    if not whole:
        if start:
            raise ValueError("the last line has no beginning")
        return None
    line = whole.rpartition(b"\n")[2]
    last = _parse(line)
    return last, CopyEnd(last.size, last.identity(), end - len(line) - 1, end)


def _tail(file: BinaryIO) -> tuple[int, int, bytes, bytes]:
    """Return the file's end, where reading began, its complete lines and what follows them."""
    end = file.seek(0, os.SEEK_END)
    start, whole, torn = _lines_after(file, end - _LAST_LINES)
    if start and b"\n" not in whole:
        start, whole, torn = _lines_after(file, end - _TAIL_BYTES)
    return end, start, whole, torn


def _lines_after(file: BinaryIO, start: int) -> tuple[int, bytes, bytes]:
    start = file.seek(max(0, start))
    whole, _, torn = file.read().rpartition(b"\n")
    return start, whole, torn
