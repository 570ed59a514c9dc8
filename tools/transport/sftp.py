"""Bring a stored content onto a server over SFTP; a cut connection is resumed.

The content arrives in a file of the account that is named by its digest. What any worker writes
there is a part of this content, so it is resumed if the digest of what is there says so, and a late
write of a worker that lost its claim changes nothing. Only the command that follows, under its
fence, puts the content in its place.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol

import paramiko
from paramiko.sftp import CMD_STATUS

from guardia.errors import NotTransferred, Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.checksum import SHA256
from guardia.tools.command import Command, Script, Upload
from guardia.tools.output import Output
from guardia.tools.transport.connect import CONNECTION_ERRORS
from guardia.tools.transport.supervised_shell import FenceGuard

_PIECE = 32_600
"""Bytes of one write: with its headers it fits into one packet of 32 KiB, the most that servers
accept."""
_AHEAD = 64
"""Writes that are sent ahead of their answers, about as much as the window of OpenSSH holds."""
_FENCE_SECONDS = 5.0
"""Time between two looks at the claim."""
_FAILURES = 4
"""Attempts in a row without progress until the transfer is given up."""
_READ_SECONDS = 900.0
"""Time in which a server computes the digest of what it has."""
_POLL_SECONDS = 0.1
_MEGABYTE = 1 << 20
_RESERVE = 16 * _MEGABYTE
"""Bytes that stay free on the server."""

# Prints bytes and digest of what has arrived, and the free kilobytes. What has not been continued
# for a week is removed.
_ARRIVED = Script(
    "guardia.arrived",
    SHA256
    + r"""
umask 077
path=$1 size=$2 folder=${1%/*}
mkdir -p -- "$folder"
find "$folder" -name '*.part' -type f -mtime +7 -exec rm -f -- {} + 2>/dev/null || true
have=0 digest=-
if [ -f "$path" ]; then have=$(wc -c < "$path"); have=$((have)); fi
if [ "$have" -gt "$size" ]; then rm -f -- "$path"; have=0; fi
[ -e "$path" ] || : > "$path"
if [ "$have" -gt 0 ]; then digest=$(sha256 < "$path"); fi
free=$(df -Pk -- "$folder" | { read -r _; read -r _ _ _ free _; echo "$free"; })
printf '%s %s %s\n' "$have" "$digest" "$free"
""",
)


class ContentStore(Protocol):
    """Store of uploaded contents, as `board.artifacts.blob_store.BlobStore` is."""

    def open(self, sha256: str) -> BinaryIO:
        """Open a content for reading. Raises `Refused` if this host does not have it."""
        ...


class Line(Protocol):
    """Kept connections, as `connections.Connections`."""

    def run(self, host: Host, command: Command, *, timeout: float) -> Output:
        """Run a command and wait for its end."""
        ...

    def sftp(self, host: Host) -> AbstractContextManager[paramiko.SFTPClient]:
        """Open an SFTP channel for the block."""
        ...


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What a server has of a content."""

    size: int
    sha256: str
    free: int
    """Bytes."""


class _WriteRefused(Exception):
    """The server answered a write with an error."""


class Transfer:
    """One content on its way to one server."""

    def __init__(
        self,
        line: Line,
        contents: ContentStore | None,
        host: Host,
        upload: Upload,
        fence_guard: FenceGuard | None,
    ) -> None:
        self._line, self._host, self._upload = line, host, upload
        self._contents, self._fence_guard = contents, fence_guard
        self._looked = 0.0

    def run(self, cancel: threading.Event) -> bool:
        """Transfer what the server lacks; return `False` if it was cancelled.

        Raises `NotTransferred` if that fails, `Refused` if the store lacks the content, `Stale` if
        the claim is not current.
        """
        if self._contents is None:
            raise self._failure("no_store")
        with self._contents.open(self._upload.sha256) as source:
            return self._until_arrived(source, cancel)

    def _until_arrived(self, source: BinaryIO, cancel: threading.Event) -> bool:
        failures, best, error = 0, -1, ""
        while not cancel.is_set():
            self._require_current()
            try:
                arrived = self._arrived()
                if self._is_complete(source, arrived):
                    return True
                failures = 0 if arrived.size > best else failures + 1
                best = max(best, arrived.size)
                self._require_space(arrived)
                if failures < _FAILURES:
                    self._send(source, self._resumable(source, arrived), cancel)
            except _WriteRefused as refusal:
                self._explain_refusal(refusal)
            except (Unreachable, *CONNECTION_ERRORS) as cut:
                if isinstance(cut, NotTransferred):
                    raise
                failures, error = failures + 1, str(cut) or type(cut).__name__
            if failures >= _FAILURES and not cancel.is_set():
                raise self._failure("cut", error=error, have=max(best, 0))
            if failures:
                cancel.wait(random.uniform(0.5, 1.0) * 2**failures / 2)
        return False

    def _arrived(self) -> _Arrived:
        command = Command.script(_ARRIVED, self._upload.path, self._upload.size)
        output = self._line.run(self._host, command, timeout=_READ_SECONDS)
        if output.exit is None:
            raise EOFError(output.exit_reason)
        words = output.stdout.split()
        if output.exit != 0 or len(words) != 3 or not (words[0] + words[2]).isdecimal():
            raise self._failure("no_answer", error=output.stderr.strip()[-200:] or output.exit)
        return _Arrived(int(words[0]), words[1], int(words[2]) * 1024)

    def _is_complete(self, source: BinaryIO, arrived: _Arrived) -> bool:
        if arrived.size != self._upload.size or not self._upload.size:
            return False
        if arrived.sha256 == self._upload.sha256:
            return True
        if arrived.sha256 == _digest(source, self._upload.size):
            # The server has exactly what the store has, and that is something else.
            raise self._failure("damaged")
        return False

    def _resumable(self, source: BinaryIO, arrived: _Arrived) -> int:
        """Return how many bytes on the server are the beginning of the content."""
        if 0 < arrived.size < self._upload.size:
            return arrived.size if _digest(source, arrived.size) == arrived.sha256 else 0
        return 0

    def _send(self, source: BinaryIO, offset: int, cancel: threading.Event) -> None:
        with self._line.sftp(self._host) as files:
            channel = files.get_channel()
            with _closed_on(cancel, channel):
                try:
                    self._write(files, source, offset)
                except OSError as error:
                    if channel is None or channel.closed or isinstance(error, TimeoutError):
                        raise
                    raise _WriteRefused(str(error)) from error

    def _write(self, files: paramiko.SFTPClient, source: BinaryIO, offset: int) -> None:
        """Write from `offset` on; requests are sent ahead of their answers."""
        source.seek(offset)
        with files.open(self._upload.path, "r+b" if offset else "wb") as file:
            file.set_pipelined(True)
            file.seek(offset)
            while piece := source.read(_PIECE):
                self._require_current()
                file.write(piece)
                _await_oldest(files, file)
            if file.stat().st_size != source.tell():
                raise OSError("short write")

    def _require_current(self) -> None:
        now = time.monotonic()
        if self._fence_guard is not None and now - self._looked >= _FENCE_SECONDS:
            self._fence_guard.require_current()
            self._looked = now

    def _require_space(self, arrived: _Arrived) -> None:
        needed = self._upload.size - arrived.size
        if arrived.free < needed + _RESERVE:
            free = arrived.free // _MEGABYTE
            raise self._failure("no_space", free=free, needed=needed // _MEGABYTE + 1)

    def _explain_refusal(self, refusal: _WriteRefused) -> NoReturn:
        """Raise `NotTransferred` with the reason for which a server refused to write."""
        self._require_space(self._arrived())
        raise self._failure("refused", error=refusal) from refusal

    def _failure(self, reason: str, **details: object) -> NotTransferred:
        why = t(f"tools.transfer.{reason}", **details)
        return NotTransferred(server=self._host.server_id, why=why, reason=reason)


def _await_oldest(files: paramiko.SFTPClient, file: paramiko.SFTPFile) -> None:
    """Read the oldest answers, so that no more than `_AHEAD` requests have none.

    paramiko itself would wait for all of them from time to time, while nothing is on its way.
    """
    waiting = file._reqs  # type: ignore[attr-defined]
    while len(waiting) > _AHEAD:
        kind, _ = files._read_response(waiting.popleft())  # type: ignore[attr-defined]
        if kind != CMD_STATUS:
            raise OSError("the server answers out of turn")


@contextmanager
def _closed_on(cancel: threading.Event, channel: paramiko.Channel | None) -> Iterator[None]:
    """Close the channel as soon as `cancel` is set within the block."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if cancel.is_set() and channel is not None:
                channel.close()
                return

    watcher = threading.Thread(target=watch, name="transfer-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _digest(source: BinaryIO, size: int) -> str:
    """Return the digest of the first `size` bytes."""
    source.seek(0)
    found = hashlib.sha256()
    while size > 0 and (piece := source.read(min(size, _MEGABYTE))):
        found.update(piece)
        size -= len(piece)
    return found.hexdigest()
