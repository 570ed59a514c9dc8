"""SSH access of tests to the practice fleet's servers, and counting what runs there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
from run_coroutine import run_in_own_loop

from guardia.tools.lab.running_fleet import RunningFleet

Session = Callable[[asyncssh.SSHClientConnection], Coroutine[Any, Any, Any]]


class SshProbe:
    """Real SSH to a server of a fleet, with its pinned host key."""

    def __init__(self, fleet: RunningFleet) -> None:
        self.fleet = fleet

    def options(self, server_id: str) -> dict[str, Any]:
        host = self.fleet.inventory.host(server_id)
        pinned = f"[{host.address}]:{host.port} {host.host_key}\n"
        return {
            "host": host.address,
            "port": host.port,
            "username": host.account,
            "client_keys": [str(self.fleet.inventory.key)],
            "known_hosts": asyncssh.import_known_hosts(pinned),
            "config": None,
            "agent_path": None,
        }

    def session(self, server_id: str, work: Session) -> Any:
        """Run `work` on one connection."""

        async def live() -> Any:
            async with asyncio.timeout(60):
                async with asyncssh.connect(**self.options(server_id)) as connection:
                    return await work(connection)

        return run_in_own_loop(live())

    def run(self, server_id: str, command: str, **options: Any) -> asyncssh.SSHCompletedProcess:
        """Run one command."""

        async def work(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHCompletedProcess:
            return await connection.run(command, **options)

        done = self.session(server_id, work)
        assert isinstance(done, asyncssh.SSHCompletedProcess)
        return done


def processes(home: Path) -> list[str]:
    """Return every live process of this machine that belongs to the fleet of `home`.

    Processes are recognised from outside, by command line or working directory.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(home) in line or (entry / "cwd").readlink().is_relative_to(home):
                found.append(f"{entry.name} {line[:120]}")
    return found
