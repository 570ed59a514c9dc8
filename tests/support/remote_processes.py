"""Commands of tests on a server, and their processes in /proc."""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import suppress
from pathlib import Path

from guardia.org.directory import Host
from guardia.tools.command import Command


def unique_seconds() -> str:
    """Return a sleep duration that identifies the processes of one test."""
    return f"{1000 + secrets.randbelow(1000)}.{secrets.randbelow(10**9):09d}"


def processes_with(mark: str, *, shell_too: bool = False) -> list[int]:
    """Return the processes with `mark` on their command line, from /proc; zombies have none.

    The supervising shell has the command on its own command line, and is still alive for a moment
    after it has reported the command's end; it is left out unless `shell_too`.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            supervisor = words[3:4] == [b"guardia"]
            if any(mark.encode() in word for word in words) and (shell_too or not supervisor):
                found.append(int(entry.parent.name))
    return found


def shell(text: str, *arguments: object) -> Command:
    """Return a command that runs a shell text."""
    return Command.of("bash", "-c", text, "test", *map(str, arguments))


def sessions_of(host: Host) -> list[int]:
    """Return the sshd processes that serve the open connections to `host`, by their sockets."""
    hexport = f":{host.port:04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(hexport) and line.split()[3] == "01"
    }
    holders = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().startswith("sshd"):
                links = {os.readlink(fd) for fd in (entry / "fd").iterdir()}
                if any(f"socket:[{inode}]" in links for inode in inodes):
                    holders.append(int(entry.name))
    return holders


def break_connections(host: Host) -> None:
    """Break all connections to `host` as a crash of sshd's session processes does."""
    for pid in sessions_of(host):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
