"""One running machine: its file system in memory, its container, and commands inside it as root."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from guardia.tools.lab import namespace
from guardia.tools.lab.child_processes import descendants
from guardia.tools.lab.machines.cgroups import ControlGroup
from guardia.tools.lab.machines.spec import MachineSpec

_COMMAND_SECONDS = 60.0


@dataclass(frozen=True)
class CommandResult:
    """What a command inside a machine gave back."""

    exit: int
    output: str


class Container:
    """A machine that nspawn runs. Everything that it writes is in memory and ends with it."""

    def __init__(self, spec: MachineSpec, folder: Path, group: ControlGroup) -> None:
        self.spec = spec
        self.group = group
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """Its file system, before and while it runs."""
        return self._folder / "root"

    def mount(self, image: Path) -> None:
        """Lay an empty layer over the image."""
        changes, work = self._folder / "changes", self._folder / "work"
        for folder in (self.root, changes, work):
            folder.mkdir(parents=True)
        options = f"lowerdir={image},upperdir={changes},workdir={work}".encode()
        namespace.mount(b"overlay", os.fsencode(self.root), b"overlay", 0, options)

    def start(self, log: BinaryIO) -> None:
        """Start its init in a container of its own."""
        self.group.create()
        program = [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
            "--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
            f"--machine={self.spec.name}", f"--directory={self.root}",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            self.group.command(program),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def is_running(self) -> bool:
        """Return whether its container still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def init(self) -> int:
        """The process id of its init, as we see it; 0 if there is none."""
        if self._process is None:
            return 0
        found = (child.pid for child in descendants(self._process.pid) if _is_init(child.pid))
        return next(found, 0)

    async def run(self, command: str) -> CommandResult:
        """Run a shell command inside as root, which is how faults come about and are seen."""
        entered = [
            "nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--pid", "--cgroup",
            "--root", "--wd",
        ]  # fmt: skip
        environment = [
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        child = await asyncio.create_subprocess_exec(
            *entered, *environment, "LC_ALL=C.UTF-8", "HOME=/root", "sh", "-c", command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                output, _ = await child.communicate()
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
            return CommandResult(124, "")
        return CommandResult(child.returncode or 0, output.decode("utf-8", "replace"))


def _is_init(pid: int) -> bool:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace").splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1] == "1" and len(line.split()) > 2
    return False
