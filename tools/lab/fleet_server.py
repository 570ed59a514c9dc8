"""The fleet server: forks the servers, runs the messenger, answers on the control socket."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import select
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncssh

from guardia.db.embedded import Cluster
from guardia.errors import NotFound, OperatorError
from guardia.org.directory import Host
from guardia.tools.lab import control, layout, namespace
from guardia.tools.lab.blueprint import SERVERS
from guardia.tools.lab.child_processes import (
    ChildReaper,
    ProcessInfo,
    descendants,
    kill_descendants,
)
from guardia.tools.lab.faults.base import Fault, FaultTarget, RemoteRunner, wait_for_oracle
from guardia.tools.lab.faults.registry import FAULTS
from guardia.tools.lab.fleet_options import FleetOptions
from guardia.tools.lab.inventory import FILE_NAME, Inventory, sample_directory
from guardia.tools.lab.layout import LabServer
from guardia.tools.lab.machine import Machine
from guardia.tools.lab.messenger import Messenger
from guardia.tools.lab.ports import ADDRESS, PortAllocator
from guardia.tools.lab.ssh_server import ACCOUNT

CREDENTIAL = "practice-fleet"
_SOCKET_PATH_LIMIT = 100
_STOP_SECONDS = 8.0


@dataclass
class RunningMachine:
    """A server that has been forked."""

    server: LabServer
    pid: int
    report: int
    port: int
    host_key: str
    volume: bool = False


class FleetServer:
    """The whole fleet in one process, the parent of all server processes."""

    def __init__(self, home: Path, options: FleetOptions) -> None:
        self._home = home
        self._options = options
        self._ports = PortAllocator(home)
        self._machines: dict[str, RunningMachine] = {}
        self._faults: dict[str, Fault] = {}
        self._socket = home / "control.sock"

    # --- life cycle -------------------------------------------------------------------------

    def run(self) -> int:
        """Run until stopped. Returns the exit code."""
        os.umask(0o077)
        namespace.adopt_orphans()
        self._remove_leftovers()
        (self._home / "hosts").mkdir(exist_ok=True)
        (self._home / "keys").mkdir(exist_ok=True)
        try:
            self._fork_all()
            return asyncio.run(self._serve())
        finally:
            self._stop()

    def _fork_all(self) -> None:
        client = self._ensure_key(self._home / "keys" / CREDENTIAL)
        for server_id, spec in SERVERS.items():
            home = self._home / "hosts" / server_id
            port = self._ports.free(f"{server_id}/{spec.name}") if spec.listens else None
            server = LabServer(server_id, home, spec, port)
            layout.prepare(server)
            key = self._home / "keys" / server_id
            public = self._ensure_key(key)
            with self._ports.listen(server_id) as listening:
                data, copies = self._home / "pg" / server_id, self._home / "server"
                machine = Machine(
                    server=server,
                    listening=listening,
                    host_key=key.read_text("ascii"),
                    client_key=client,
                    data=data,
                    copies=copies,
                    options=self._options,
                )
                pid, report = machine.fork()
                ssh_port = int(listening.getsockname()[1])
            self._machines[server_id] = RunningMachine(server, pid, report, ssh_port, public)

    async def _serve(self) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_reader(self._options.launcher_pipe, stop.set)
        children = ChildReaper()
        exits = [children.exit_code(machine.pid) for machine in self._machines.values()]
        await asyncio.gather(*(self._await_report(m) for m in self._machines.values()))
        self._create_faults()
        inventory = await self._start_services()
        inventory.save(self._home)
        sys.stdout.write(f"ready {self._home / FILE_NAME}\n")
        sys.stdout.flush()
        for ended in exits:  # a fleet that has lost a server would only mislead
            ended.add_done_callback(lambda _code: stop.set())
        await stop.wait()
        loop.remove_reader(self._options.launcher_pipe)
        return 1 if any(ended.done() for ended in exits) else 0

    async def _await_report(self, machine: RunningMachine) -> None:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(machine.report, readable.set_result, None)
        await readable
        loop.remove_reader(machine.report)
        report = json.loads(os.read(machine.report, 65_536) or b'{"error": "it ended"}')
        os.close(machine.report)
        if "error" in report:
            raise RuntimeError(f"{machine.server.server_id}: {report['error']}")
        machine.volume = report["volume"]

    async def _start_services(self) -> Inventory:
        token_file = self._home / "keys" / "messenger"
        if not token_file.exists():
            layout.write_private(token_file, secrets.token_hex(13).encode())
        messenger = Messenger(self._home / "messenger", token_file.read_text())
        port = self._ports.free("messenger")
        self._socket = self._control_path()
        self._servers = [
            await messenger.serve(port),
            await control.serve(self._socket, self._answer),
        ]
        return Inventory(
            pid=self._options.launcher_pid,
            hosts=self._hosts(),
            credential=CREDENTIAL,
            key=self._home / "keys" / CREDENTIAL,
            message_url=messenger.url(port, "hooks"),
            alert_url=messenger.url(port, "alerts"),
            messages=messenger.messages,
            alerts=messenger.alerts,
            control=self._socket,
            volumes=any(machine.volume for machine in self._machines.values()),
            isolated=self._options.isolated,
        )

    def _stop(self) -> None:
        """Stop the servers in order, then kill what is left."""
        self._remove_leftovers()
        pids = {machine.pid for machine in self._machines.values()}
        for pid in pids & {process.pid for process in descendants(os.getpid())}:
            os.kill(pid, signal.SIGTERM)
        _wait_for(pids, _STOP_SECONDS)
        kill_descendants()

    def _remove_leftovers(self) -> None:
        """Remove the inventory and its control socket, also those of a fleet that was killed."""
        with suppress(NotFound, ValueError):
            socket = Inventory.load(self._home).control
            socket.unlink(missing_ok=True)
            if socket.parent != self._home:
                shutil.rmtree(socket.parent, ignore_errors=True)
        (self._home / FILE_NAME).unlink(missing_ok=True)

    # --- setup ------------------------------------------------------------------------------

    def _control_path(self) -> Path:
        if len(os.fsencode(self._socket)) <= _SOCKET_PATH_LIMIT:
            return self._socket
        return Path(tempfile.mkdtemp(prefix="guardia-lab-", dir="/tmp")) / "control.sock"

    @staticmethod
    def _ensure_key(path: Path) -> str:
        """Return the public half of the key in `path`, generated if missing."""
        if not path.exists():
            key = asyncssh.generate_private_key("ssh-ed25519", comment="practice fleet")
            layout.write_private(path, key.export_private_key())
        known = asyncssh.read_private_key(path)
        return " ".join(known.export_public_key().decode().split()[:2])

    def _hosts(self) -> tuple[Host, ...]:
        return tuple(
            server.model_copy(
                update={
                    "address": ADDRESS,
                    "port": machine.port,
                    "account": ACCOUNT,
                    "host_key": machine.host_key,
                    "credential": CREDENTIAL,
                    "services": (machine.server.service(),),
                }
            )
            for server in sample_directory().servers
            for machine in [self._machines[server.server_id]]
        )

    def _create_faults(self) -> None:
        for name, fault in FAULTS.items():
            self._faults[name] = fault(self._fault_target(self._machines[fault.server_id]))

    def _fault_target(self, machine: RunningMachine) -> FaultTarget:
        return FaultTarget(
            server=machine.server,
            remote=self._remote(machine),
            machine_pid=machine.pid,
            has_volume=machine.volume,
            dsn=Cluster(self._home / "pg" / machine.server.server_id).dsn,
        )

    def _remote(self, machine: RunningMachine) -> RemoteRunner:
        async def run(command: str) -> None:
            async with asyncssh.connect(
                ADDRESS,
                machine.port,
                username=ACCOUNT,
                client_keys=[str(self._home / "keys" / CREDENTIAL)],
                known_hosts=None,
                config=None,
                agent_path=None,
            ) as connection:
                done = await connection.run(command)
                if done.exit_status != 0:
                    raise RuntimeError(f"{command}: {done.stderr!r}")

        return run

    # --- requests ---------------------------------------------------------------------------

    async def _answer(self, request: dict[str, Any]) -> Any:
        match request.get("do"):
            case "status":
                return await self._status()
            case "oracle":
                return asdict(await self._fault(request).probe())
            case "fault":
                fault = self._fault(request)
                await fault.inject()
                return asdict(await wait_for_oracle(fault, good=False))
            case "heal":
                return await self._heal(request)
        raise NotFound(what=str(request.get("do")))

    def _fault(self, request: dict[str, Any]) -> Fault:
        found = self._faults.get(str(request.get("name")))
        if found is None:
            raise NotFound(what=str(request.get("name")))
        return found

    async def _heal(self, request: dict[str, Any]) -> dict[str, Any]:
        every = list(self._faults.values())
        chosen = every if request.get("name") == "all" else [self._fault(request)]
        await asyncio.gather(*(fault.heal() for fault in chosen))
        results = await asyncio.gather(*(wait_for_oracle(fault, good=True) for fault in chosen))
        bad = [
            f"{fault.server_id}: {result.evidence}"
            for fault, result in zip(chosen, results, strict=True)
            if not result.good
        ]
        if bad:
            raise OperatorError(why="; ".join(bad))
        return {"good": True, "evidence": [result.evidence for result in results]}

    async def _status(self) -> dict[str, Any]:
        results = await asyncio.gather(*(fault.probe() for fault in self._faults.values()))
        oracles = dict(zip(self._faults, map(asdict, results), strict=True))
        return {
            "servers": [self._server(machine) for machine in self._machines.values()],
            "oracles": oracles,
        }

    def _server(self, machine: RunningMachine) -> dict[str, Any]:
        remote = self._commands(machine)
        return {
            "server": machine.server.server_id,
            "address": f"{ADDRESS}:{machine.port}",
            "service": machine.server.spec.name,
            "state": self._state(machine),
            "commands": [{"pid": p.pid, "state": p.state, "command": p.command} for p in remote],
        }

    def _service_pid(self, machine: RunningMachine) -> int:
        if not machine.server.spec.is_program:
            return Cluster(self._home / "pg" / machine.server.server_id).pid or 0
        try:
            return int(machine.server.pid_file.read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def _state(self, machine: RunningMachine) -> str:
        own = {process.pid: process for process in descendants(machine.pid)}
        found = own.get(self._service_pid(machine))
        if found is None:
            return "down"
        return "stopped" if found.state in "Tt" else "up"

    def _commands(self, machine: RunningMachine) -> list[ProcessInfo]:
        """Return the commands on a server, or what is left of them; its service is not included."""
        return descendants(machine.pid, without=(self._service_pid(machine),))


def _wait_for(pids: set[int], seconds: float) -> None:
    """Wait until these children have ended: woken by the kernel, without polling."""
    waiting, open_ones = select.poll(), set()
    for pid in pids:
        with suppress(ProcessLookupError):
            open_ones.add(os.pidfd_open(pid))
    for descriptor in open_ones:
        waiting.register(descriptor, select.POLLIN)
    while open_ones and (ended := waiting.poll(seconds * 1000)):
        for descriptor, _event in ended:
            waiting.unregister(descriptor)
            os.close(descriptor)
            open_ones.remove(descriptor)
