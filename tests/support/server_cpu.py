"""Processor time of a PostgreSQL server with all its processes."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def server_seconds(folder: Path) -> float:
    """Return CPU seconds of the PostgreSQL over `folder` and all its ended children."""
    leader = int((folder / "pgdata" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    ticks = sum(_ticks(leader, 11, 12, 13, 14))
    return (ticks + sum(sum(_ticks(int(pid), 11, 12)) for pid in children)) / _TICK


def _ticks(pid: int, *numbers: int) -> list[int]:
    """Return these fields of the process's statistics; zeros if it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [0]
    return [int(fields[n]) for n in numbers]
