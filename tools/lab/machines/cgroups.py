"""Control groups of the machines: one each, so that no machine sees or touches another's units.

Without them, the init of every machine would put `nginx.service` into the same group as the host.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PARENT = "guardia-machines"


@cache
def hierarchies() -> tuple[Path, ...]:
    """Return where systemd's hierarchies are mounted: the unified one, and its legacy one."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        place, _, kind = line.partition(" - ")
        file_system, _source, options = kind.split(maxsplit=2)
        if file_system == "cgroup2" or (
            file_system == "cgroup" and "name=systemd" in options.split(",")
        ):
            found.append(Path(place.split()[4]))
    return tuple(found)


def group_name(home: Path) -> str:
    """Return the name of the group that holds the machines of one folder."""
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


@dataclass(frozen=True)
class ControlGroup:
    """A group of that name in each hierarchy; `parent/child` is a group in a group."""

    name: str

    def create(self) -> None:
        """Create it. Raises `OSError` where the hierarchies are read-only."""
        for folder in self._folders():
            folder.mkdir(parents=True, exist_ok=True)

    def command(self, program: list[str]) -> list[str]:
        """Return the argument list that runs a program in it."""
        files = " ".join(shlex.quote(f"{folder}/cgroup.procs") for folder in self._folders())
        enter = f'for file in {files}; do echo $$ > "$file" || exit 1; done; exec "$@"'
        return ["/bin/sh", "-c", enter, "sh", *program]

    def remove(self) -> None:
        """Remove it with the groups below it, all empty, and the parent if it is the last."""
        for folder in self._folders():
            for path, _names, _files in os.walk(folder, topdown=False):
                with suppress(OSError):
                    os.rmdir(path)
            with suppress(OSError):
                folder.parent.rmdir()

    def exists(self) -> bool:
        """Return whether one of its folders is left."""
        return any(folder.exists() for folder in self._folders())

    def _folders(self) -> list[Path]:
        return [mount / _PARENT / self.name for mount in hierarchies()]
