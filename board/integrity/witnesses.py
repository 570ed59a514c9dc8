"""Witnesses outside the database: copies of the checkpoints, and the verifier state.

A copy is an append-only file of JSON lines. The verifier state is what this host's verifier last
found intact, so that a database restored to an older state is detected. Do not call anything here
inside a transaction.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.log import CHAIN
from guardia.db.private_files import read_json, write_json
from guardia.errors import Misconfigured
from guardia.i18n import t

_TAIL_BYTES = 65536
"""Bytes at a copy's end that contain the beginning of its last line."""


@dataclass(frozen=True, slots=True)
class VerifierState:
    """What the verifier last found intact."""

    size: int
    head: str
    key: str
    """Fingerprint of the checkpoints' key."""
    checkpoint: int
    """Size of the last checkpoint, or 0."""
    identity: str


def load_verifier_state(path: Path) -> VerifierState | None:
    """Return the saved state, or `None`. Raises `Misconfigured` if it is damaged."""
    found = read_json(path)
    try:
        return VerifierState(**found) if found else None
    except TypeError as error:
        raise Misconfigured(what=str(path), why=t("audit.bad_memory")) from error


def save_verifier_state(path: Path, seen: VerifierState) -> None:
    """Save the state unless a saved one reaches further."""
    before = load_verifier_state(path)
    if before is None or before.size <= seen.size:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(seen))


class CheckpointCopy:
    """One file of checkpoints outside the database."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{CHAIN}.jsonl"

    def extend(self, missing: Callable[[Checkpoint | None], Iterator[list[Checkpoint]]]) -> None:
        """Append, in batches, what `missing` yields for the file's last checkpoint.

        Raises `OSError` if the file cannot be written, `ValueError` if its last line is not a
        checkpoint. A line cut short by a power failure is removed and written again.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for batch in missing(_last_checkpoint(file)):
                text = "".join(json.dumps(c.to_dict()) + "\n" for c in batch)
                _write(file, text.encode())
            os.fsync(file.fileno())

    def read(self, until: int, after: int = 0) -> Iterator[Checkpoint]:
        """Yield the checkpoints of more than `after` entries within the first `until` bytes.

        Raises `ValueError` at a line that is not a checkpoint.
        """
        with self.path.open("rb") as file:
            file.seek(_position(file, until, after))
            while file.tell() < until and (line := file.readline(_TAIL_BYTES)):
                found = checkpoints.parse_checkpoint(json.loads(line))
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


def _position(file: BinaryIO, until: int, after: int) -> int:
    """Return the start of a line shortly before the first checkpoint beyond `after`."""
    low, high = 0, until
    while after and high - low > _TAIL_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(_TAIL_BYTES)
        start, line = file.tell(), file.readline(_TAIL_BYTES)
        if line and start < until and checkpoints.parse_checkpoint(json.loads(line)).size <= after:
            low = start
        else:
            high = middle
    return low


def _write(file: BinaryIO, data: bytes) -> None:
    while data:
        data = data[os.write(file.fileno(), data) :]


def _last_checkpoint(file: BinaryIO) -> Checkpoint | None:
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - _TAIL_BYTES))
    whole, _, torn = file.read().rpartition(b"\n")
    if torn:
        file.truncate(end - len(torn))
    if not whole:
        if start:
            raise ValueError("the last line has no beginning")
        return None
    return checkpoints.parse_checkpoint(json.loads(whole.rpartition(b"\n")[2]))
