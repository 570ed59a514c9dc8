"""The first process of the machines' process namespace: starts them and answers on a socket.

All that it mounts is in its own mount namespace. When it ends, even by SIGKILL, the kernel ends
every process of every machine and forgets the mounts.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import asyncssh

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab import control, layout, namespace
from guardia.tools.lab.machines import prepare
from guardia.tools.lab.machines.addresses import AddressPool, choose_ports
from guardia.tools.lab.machines.answers import Answers, Running
from guardia.tools.lab.machines.build_steps import NSPAWN_FILES
from guardia.tools.lab.machines.cgroups import ControlGroup
from guardia.tools.lab.machines.container import Container
from guardia.tools.lab.machines.faults.base import MachineTarget
from guardia.tools.lab.machines.faults.password_client import write_askpass
from guardia.tools.lab.machines.faults.registry import MACHINE_FAULTS
from guardia.tools.lab.machines.inventory import FILE_NAME, MachineEntry, MachineInventory
from guardia.tools.lab.machines.order import Order
from guardia.tools.lab.machines.spec import ACCOUNT, HEALTH, ROLES, MachineSpec
from guardia.tools.lab.oracle import http_get

_MEGABYTES = 768
"""What one machine may write, in memory."""
_READY_SECONDS = 120.0


class MachinesServer:
    """All machines of one folder."""

    def __init__(self, home: Path, order: Order, images: dict[str, Path], group: str) -> None:
        self._home = home
        self._order = order
        self._images = images
        self._group = group
        self._addresses = AddressPool(order.first_address)
        self._machines: dict[str, Running] = {}
        self._password = secrets.token_urlsafe(12)
        self._stop = asyncio.Event()

    async def run(self, launcher_pipe: int, launcher_pid: int) -> int:
        """Run until asked to end. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_reader(launcher_pipe, self._stop.set)
        os.umask(0o022)
        key = self._client_key()
        write_askpass(self._home / "askpass")
        self._mount()
        with (self._home / "machines.log").open("ab") as log:
            for spec in self._specs():
                self._start(spec, key, log)
        starting = asyncio.ensure_future(self._wait_until_ready())
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return 0
        starting.result()
        socket = self._home / "control.sock"
        self._control = await control.serve(socket, Answers(self._machines).answer)
        MachineInventory(
            pid=launcher_pid,
            account=ACCOUNT,
            key=self._home / "key",
            password=self._password,
            control=socket,
            machines=tuple(one.entry for one in self._machines.values()),
        ).save(self._home)
        await stopping
        (self._home / FILE_NAME).unlink(missing_ok=True)
        return 0

    def _client_key(self) -> str:
        key = asyncssh.generate_private_key("ssh-ed25519", comment="machines")
        layout.write_private(self._home / "key", key.export_private_key())
        return key.export_public_key().decode("ascii").strip()

    def _mount(self) -> None:
        megabytes = _MEGABYTES * len(self._order.roles) + 64
        namespace.mount(
            b"tmpfs",
            os.fsencode(NSPAWN_FILES),
            b"tmpfs",
            0,
            f"size={megabytes}m,mode=0755".encode(),
        )

    def _specs(self) -> list[MachineSpec]:
        counts: dict[str, int] = {}
        found = []
        for name in self._order.roles:
            counts[name] = counts.get(name, 0) + 1
            address = self._addresses.take()
            role = ROLES[name]
            ports = choose_ports(address, role.make.ports)
            found.append(MachineSpec(f"{name}-{counts[name]}", role, address, ports))
        return found

    def _start(self, spec: MachineSpec, key: str, log: BinaryIO) -> None:
        group = ControlGroup(f"{self._group}/{spec.name}")
        container = Container(spec, NSPAWN_FILES / "machines" / spec.name, group)
        container.mount(self._images[spec.role.make.image])
        public = prepare.prepare(container.root, spec, key, self._password)
        container.start(log)
        entry = MachineEntry(
            name=spec.name,
            role=spec.role.name,
            image=spec.role.make.image,
            address=spec.address,
            ports={name: spec.ports[name] for name in spec.role.ports},
            host_key=public,
            fingerprint=asyncssh.import_public_key(public).get_fingerprint(),
        )
        target = MachineTarget(spec, container.run, self._password, self._home / "askpass")
        faults = {
            name: fault(target)
            for name, fault in MACHINE_FAULTS.items()
            if spec.role.has(fault.needs)
        }
        self._machines[spec.name] = Running(container, entry, faults)

    async def _wait_until_ready(self) -> None:
        await asyncio.gather(*(self._wait_for(one) for one in self._machines.values()))

    async def _wait_for(self, machine: Running) -> None:
        entry, log = machine.entry, self._home / "machines.log"
        waiting = dict(entry.ports)
        deadline = time.monotonic() + _READY_SECONDS
        while waiting:
            for name, port in entry.ports.items():
                if name in waiting and await _serves(name, entry.address, port):
                    del waiting[name]
            if not machine.container.is_running():
                raise Refused(why=t("lab.machines.ended", name=entry.name, log=log))
            if time.monotonic() > deadline:
                ports = ", ".join(waiting)
                raise Refused(
                    why=t("lab.machines.not_ready", name=entry.name, ports=ports, log=log)
                )
            await asyncio.sleep(0.1)


async def _serves(name: str, address: str, port: int) -> bool:
    """Return whether a part answers; of the WAS only its application counts."""
    if name == "was":
        status, _ = await http_get(port, HEALTH, seconds=20.0, address=address)
        return status == 200
    with suppress(OSError):
        async with asyncio.timeout(2):
            _reader, writer = await asyncio.open_connection(address, port)
            writer.close()
            return True
    return False


def fail(error: BaseException) -> None:
    """Write why the machines did not start, where the starter reads it."""
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    sys.stderr.flush()
