"""Control sockets of worker processes: one private Unix socket each, for the emergency stop.

Every account that can open the installation's private folder may stop its workers; nothing else
can be requested here.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".sock"
STOP_SECONDS = 1.7
"""How long a worker waits for the servers to confirm that nothing is left."""
_ANSWER_SECONDS = STOP_SECONDS + 1.0
_MAX_MESSAGE = 64 * 1024
_MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class HostStopped:
    """What the stop reached on this host."""

    workers: int = 0
    """Worker processes that have ended their commands."""
    silent: int = 0
    """Worker processes that exist and did not answer."""
    commands: int = 0
    """Remote commands that were running."""
    left: int = 0
    """Of these, commands of which the servers did not confirm that nothing is left."""
    kept: bool = True
    """Whether the order is kept on the disk for the board."""

    @property
    def is_clear(self) -> bool:
        """Whether at least one worker has stopped, and nothing is left."""
        return self.workers > 0 and self.silent == 0 and self.left == 0


@contextmanager
def short_path(socket_file: Path) -> Iterator[str]:
    """Return a path that fits into a socket's address, however deep the folder is."""
    folder = os.open(socket_file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{socket_file.name}"
    finally:
        os.close(folder)


def call_workers(folder: Path, order: str, *, kept: bool) -> HostStopped:
    """Stop all worker processes that have a socket in this folder, at the same time."""
    try:
        sockets = sorted(folder.glob(f"*{SUFFIX}"))
    except OSError:
        sockets = []
    if not sockets:
        return HostStopped(kept=kept)
    with ThreadPoolExecutor(min(len(sockets), _MOST_WORKERS), "stop") as threads:
        found = list(threads.map(lambda path: _call(path, order), sockets))
    answers = [answer for answer in found if isinstance(answer, dict)]
    return HostStopped(
        workers=len(answers),
        silent=found.count(False),
        commands=sum(answer["commands"] for answer in answers),
        left=sum(answer["left"] for answer in answers),
        kept=kept,
    )


def _call(path: Path, order: str) -> dict[str, int] | bool | None:
    """Return a worker's answer; `False` if it does not answer, `None` if it is gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            with short_path(path) as address:
                connection.connect(address)
            connection.sendall(order.encode() + b"\n")
            answer = json.loads(receive_line(connection))
            return {name: int(answer[name]) for name in ("commands", "left")}
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # left behind by a killed process
            return None
        except (OSError, ValueError, TypeError, KeyError):
            return False


def receive_line(connection: socket.socket) -> str:
    """Return one line from a peer. Raises `OSError` or `ValueError` if it sends none."""
    data = b""
    while not data.endswith(b"\n"):
        part = connection.recv(4096)
        if not part or len(data) > _MAX_MESSAGE:
            raise ValueError("incomplete message")
        data += part
    return data.decode("utf-8")
