"""Machines for tests: whole Debian systems, started once in each process that asks for them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from guardia.settings import Settings
from guardia.tools.lab.machines import requirements
from guardia.tools.lab.machines.container import CommandResult
from guardia.tools.lab.machines.order import Order
from guardia.tools.lab.machines.running_machines import RunningMachines


@dataclass(frozen=True)
class Machine:
    """One machine: how the product reaches it, and how a test gets past every right."""

    running: RunningMachines
    name: str

    @property
    def address(self) -> str:
        return self.running.inventory.machine(self.name).address

    @property
    def ports(self) -> dict[str, int]:
        """Ports by service: ssh, http, https, was, postgresql, mariadb."""
        return self.running.inventory.machine(self.name).ports

    @property
    def ssh_port(self) -> int:
        return self.ports["ssh"]

    @property
    def account(self) -> str:
        return self.running.inventory.account

    @property
    def password(self) -> str:
        return self.running.inventory.password

    @property
    def key(self) -> Path:
        """The private key's file."""
        return self.running.inventory.key

    @property
    def host_key(self) -> str:
        return self.running.inventory.machine(self.name).host_key

    @property
    def fingerprint(self) -> str:
        return self.running.inventory.machine(self.name).fingerprint

    def run_as_root(self, command: str) -> CommandResult:
        """Run a shell command inside, without SSH."""
        return self.running.run_as_root(self.name, command)

    def must(self, command: str) -> str:
        """Run a shell command inside as root and return its output; the test fails if it does."""
        done = self.run_as_root(command)
        assert done.exit == 0, f"{command}: {done.exit}: {done.output}"
        return done.output

    def heal(self, name: str = "all") -> None:
        """Heal faults and wait until the oracles find the machine well."""
        self.running.heal(name, self.name)


def require_machines() -> None:
    """Skip the test where machines cannot run; in CI that is a failure."""
    if (why := requirements.missing()) is None:
        return
    if os.environ.get("CI") == "true" or os.environ.get("NEED_MACHINES"):
        pytest.fail(f"machines must run in CI: {why}")
    pytest.skip(why)


@contextmanager
def started_machines(*roles: str) -> Iterator[RunningMachines]:
    """Start machines of these roles for the block, from cached images."""
    require_machines()
    home = Path(tempfile.mkdtemp(prefix="guardia-test-"))
    try:
        order = Order(roles=roles, images=Settings().machine_images)
        with RunningMachines.spawn(home / "machines", order) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def machines() -> Iterator[RunningMachines]:
    """Start a machine of each make, once in this process."""
    with started_machines("all", "old") as running:
        yield running


@pytest.fixture
def machine(machines: RunningMachines) -> Iterator[Machine]:
    """Return a current machine with every service; its faults are healed afterwards."""
    found = Machine(machines, "all-1")
    yield found
    found.heal()


@pytest.fixture
def old_machine(machines: RunningMachines) -> Iterator[Machine]:
    """Return a machine without systemd, with EUC-KR and dash; healed afterwards."""
    found = Machine(machines, "old-1")
    yield found
    found.heal()
