"""Client of the machines: start them or attach to them, send requests, stop them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from guardia.db import process
from guardia.errors import Misconfigured, NotFound, Refused
from guardia.i18n import t
from guardia.tools.lab import control
from guardia.tools.lab.machines import requirements
from guardia.tools.lab.machines.container import CommandResult
from guardia.tools.lab.machines.inventory import MachineInventory
from guardia.tools.lab.machines.order import OCCUPIED, Order
from guardia.tools.lab.oracle import OracleResult

_STOP_SECONDS = 20.0
_REQUEST_SECONDS = 600.0
"""Longer than healing every fault of every machine takes."""


class RunningMachines:
    """The machines of one folder. They end with this process if this process has started them."""

    def __init__(self, home: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.home = home
        self._child = child
        self._inventory: MachineInventory | None = None

    @classmethod
    def spawn(cls, home: Path, order: Order) -> Self:
        """Start the machines. Raises `Refused` if this host cannot, or if some already run."""
        requirements.require()
        home = home.absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = home / "launcher.log"
        command = [sys.executable, "-m", "guardia.tools.lab.machines.launcher", str(home)]
        with log.open("wb") as file:
            child = process.spawn(
                [*command, order.model_dump_json()],
                signal.SIGTERM,
                None,
                file,
                environment=os.environ,
            )
        return cls(home, child)

    @classmethod
    def find(cls, home: Path) -> Self:
        """Attach to the machines that run in `home`. Raises `NotFound` if there are none."""
        found = cls(home.absolute())
        found._inventory = MachineInventory.load(found.home)
        control.ping(found._inventory.control)
        return found

    @property
    def is_owned(self) -> bool:
        """Whether this process has started the machines."""
        return self._child is not None

    @property
    def pid(self) -> int:
        """The launcher's process id."""
        return self._child.pid if self._child else self.inventory.pid

    def is_alive(self) -> bool:
        """Return whether the machines still run."""
        if self._child is not None:
            return self._child.poll() is None
        with suppress(NotFound):
            control.ping(self.inventory.control)
            return True
        return False

    def wait_until_ready(self, is_cancelled: Callable[[], bool] = lambda: False) -> Self:
        """Wait until every machine serves; building an image first may take minutes."""
        while self._inventory is None and not is_cancelled():
            with suppress(NotFound):
                found = self.find(self.home).inventory
                if self._child is None or found.pid == self._child.pid:
                    self._inventory = found
                    break
            self._raise_if_ended()
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End the machines with all that they have written."""
        child, self._child = self._child, None
        if child is None:
            with suppress(ProcessLookupError):
                os.kill(self.inventory.pid, signal.SIGTERM)
            process.wait_until(lambda: not self.is_alive(), _STOP_SECONDS)
            return
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Self:
        try:
            return self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def inventory(self) -> MachineInventory:
        """How to reach the machines."""
        if self._inventory is None:
            self.wait_until_ready()
        assert self._inventory is not None
        return self._inventory

    # --- requests ---------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return the machines and what the oracles of their faults find."""
        found: dict[str, Any] = self._request(do="status")
        return found

    def run_as_root(self, machine: str, command: str) -> CommandResult:
        """Run a shell command inside, past SSH and every right of an account."""
        return CommandResult(**self._request(do="run", machine=machine, command=command))

    def fault(self, name: str, machine: str | None = None) -> OracleResult:
        """Inject a fault and wait for its oracle to see it, or raise `Refused`."""
        return OracleResult(**self._request(do="fault", name=name, machine=machine))

    def heal(self, name: str = "all", machine: str | None = None) -> None:
        """Heal a fault from outside and wait until its oracle finds the machine well."""
        self._request(do="heal", name=name, machine=machine)

    def oracle(self, name: str, machine: str | None = None) -> OracleResult:
        """Probe the oracle of a fault once."""
        return OracleResult(**self._request(do="oracle", name=name, machine=machine))

    def _request(self, **request: object) -> Any:
        return control.send_request(self.inventory.control, within=_REQUEST_SECONDS, **request)

    def _raise_if_ended(self) -> None:
        ended = self._child.poll() if self._child else None
        if ended == OCCUPIED:
            raise Refused(why=t("lab.machines.already"))
        if ended is not None:
            text = (self.home / "launcher.log").read_text("utf-8", errors="replace").strip()
            raise Misconfigured(what=t("lab.machines.fleet"), why=text[-600:])
