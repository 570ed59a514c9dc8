"""Exact processor time of processes and all that they start, by a control group of their own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PLACES = (
    (Path("/sys/fs/cgroup/cpuacct"), "cpuacct.usage"),
    (Path("/sys/fs/cgroup/unified"), "cpu.stat"),
    (Path("/sys/fs/cgroup"), "cpu.stat"),
)


class CpuGroup:
    """A control group; `seconds` is `None` where this account may not make one."""

    def __init__(self, name: str) -> None:
        self._file: Path | None = None
        for root, file in _PLACES:
            folder = root / f"{name}-{os.getpid()}"
            if not (root / "cgroup.procs").exists():
                continue
            with suppress(OSError):
                folder.mkdir()
                if (folder / file).exists():
                    self._file = folder / file
                    return
                folder.rmdir()

    def add(self, pid: int) -> None:
        """Add a process; what it starts from now on belongs to the group too."""
        if self._file is not None:
            (self._file.parent / "cgroup.procs").write_text(str(pid))

    @property
    def path(self) -> str:
        """The file that `seconds_of` reads, for another process; empty if there is none."""
        return str(self._file or "")

    def close(self) -> None:
        """Remove it; its processes have ended."""
        if self._file is not None:
            with suppress(OSError):
                self._file.parent.rmdir()


def seconds_of(path: str) -> float:
    """Return the processor time of the group with this file."""
    text = Path(path).read_text()
    if path.endswith("cpuacct.usage"):
        return int(text) / 1e9
    return int(text.split()[1]) / 1e6  # usage_usec is the first line
