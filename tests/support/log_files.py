"""Log files on a test server: writing, archiving and reading them back."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path
from typing import Any

from waiting import PATIENCE

from guardia.board.core.plan import ToolCall
from guardia.org.directory import Host, Service
from guardia.tools import planning
from guardia.tools.transport.connections import Connections

ID = "abc123def456"


def service_of(root: Path) -> Service:
    return Service(name="minwon", kind="http", root=str(root), logs=str(root / "logs"))


def archive(connections: Connections, host: Host) -> dict[str, Any]:
    """Return the findings of `disk.archive` on a test server."""
    args = {"service": "minwon", "name": "app.log", "id": ID}
    tool, _, command = planning.prepare(ToolCall(tool="disk.archive", args=args), host)
    return dict(tool.parse(connections.run(host, command, timeout=PATIENCE)))


def archived(root: Path) -> bytes:
    return gzip.decompress((root / "archive" / f"app.log.{ID}.gz").read_bytes())


def line(number: int) -> bytes:
    """Return a line of the tests' writer."""
    return b"line %09d of the writer\n" % number


def numbers(log: bytes) -> list[int]:
    """Return the numbers of the writer's lines in a log."""
    return [int(n) for n in re.findall(rb"line (\d{9}) of the writer\n", log)]


def lines(count: int, seed: int = 1) -> bytes:
    """Return a log that compresses like a real one."""
    chance = random.Random(seed)
    return b"".join(
        b"2026-11-20 14:00:%02d INFO request %d took %d ms\n"
        % (n % 60, n, chance.randrange(10_000))
        for n in range(count)
    )
