"""One server of the fleet: a process with an SSH server, a service and their children.

It adopts every orphan on this server, so its descendants are exactly the processes of the server;
they end with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from guardia.db.embedded import Cluster
from guardia.db.installation import binaries
from guardia.tools.lab import database, layout, namespace, ssh_server
from guardia.tools.lab.child_processes import ChildReaper, kill_descendants
from guardia.tools.lab.fleet_options import FleetOptions
from guardia.tools.lab.layout import LabServer


@dataclass(frozen=True)
class Machine:
    """What one server needs to start."""

    server: LabServer
    listening: socket.socket
    host_key: str
    client_key: str
    data: Path
    """The folder of its PostgreSQL, if it has one."""
    copies: Path
    options: FleetOptions

    def fork(self) -> tuple[int, int]:
        """Start the server as a child. Returns its process id and a descriptor for its report."""
        read, write = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            os.close(write)
            return pid, read
        code = 1
        try:
            os.close(read)
            namespace.end_with_parent(signal.SIGTERM)
            if os.getppid() == parent:  # it may have ended before the line above
                code = asyncio.run(self._run(write))
        except BaseException as error:
            _report(write, error=f"{type(error).__name__}: {error}")
        finally:
            kill_descendants()
            os._exit(code)

    async def _run(self, write: int) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        # Caught, not ignored: child processes get the default again, even below `nohup`.
        for number in (signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None)
        namespace.adopt_orphans()
        volume = self._mount()
        running = self._start_database()
        if self.server.spec.is_program:
            server = None if self.options.isolated else os.getpid()
            layout.write_control_script(self.server, tied_to=server, bounded=volume)
        shell = self._shell(ChildReaper())
        await self._start_service(shell)
        ssh_acceptor = await ssh_server.serve(self.listening, self.host_key, self.client_key, shell)
        work = asyncio.ensure_future(self._work(running))
        _report(write, volume=volume)
        await stop.wait()
        ssh_acceptor.close()
        work.cancel()
        if running is not None:
            running.stop()
        return 0

    def _mount(self) -> bool:
        if self.server.spec.volume is None or not self.options.volumes:
            return False
        with suppress(OSError):
            namespace.mount_volume(self.server.logs, self.server.spec.volume)
            return True
        return False

    def _start_database(self) -> Cluster | None:
        if self.server.spec.is_program:
            return None
        return database.start(self.server, self.data, self.copies)

    async def _work(self, running: Cluster | None) -> None:
        if running is not None:
            await database.run_workload(running, self.server)

    def _shell(self, children: ChildReaper) -> ssh_server.Shell:
        home = self.server.home
        path = f"{home / 'bin'}:{binaries()}:/usr/local/bin:/usr/bin:/bin"
        environment = {
            "HOME": str(home),
            "USER": ssh_server.ACCOUNT,
            "LOGNAME": ssh_server.ACCOUNT,
            "SHELL": "/bin/bash",
            "PATH": path,
            "LANG": "C.UTF-8",
        }
        return ssh_server.Shell(home, environment, children, tied=not self.options.isolated)

    async def _start_service(self, shell: ssh_server.Shell) -> None:
        if not self.server.spec.is_program:
            return
        output = self.server.root / "run" / "start"
        with output.open("wb") as file, Path(os.devnull).open("rb") as nothing:
            files = (nothing.fileno(), file.fileno(), file.fileno())
            _child, ended = shell.start([str(self.server.control), "start"], files, {})
            if await ended != 0:
                raise subprocess.SubprocessError(output.read_text("utf-8", errors="replace"))


def _report(write: int, **facts: object) -> None:
    with suppress(OSError):
        os.write(write, json.dumps(facts).encode())
        os.close(write)
