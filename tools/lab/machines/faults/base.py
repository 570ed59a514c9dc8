"""Base of the machines' faults: inject, heal from outside, and an oracle that knows no product."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from guardia.errors import OperatorError
from guardia.tools.lab.faults.base import BaseFault
from guardia.tools.lab.machines.container import CommandResult
from guardia.tools.lab.machines.spec import HEALTH, MachineSpec
from guardia.tools.lab.oracle import OracleResult, http_get

_KEPT = "/root/kept"

Runner = Callable[[str], Awaitable[CommandResult]]
"""Runs a shell command inside the machine as root, past SSH."""


@dataclass(frozen=True)
class MachineTarget:
    """The machine that a fault affects, with access to it past every right."""

    spec: MachineSpec
    run: Runner
    password: str
    """The password of the accounts of people."""
    askpass: Path
    """The program that OpenSSH's client asks for a password."""

    async def must(self, command: str) -> str:
        """Run a command and return its output. Raises `OperatorError` if it fails."""
        done = await self.run(f"set -e\n{command}")
        if done.exit != 0:
            raise OperatorError(why=f"{self.spec.name}: {command!r}: {done.output.strip()[-300:]}")
        return done.output

    async def health(self) -> OracleResult:
        """Ask the application for its health, directly and as its users do."""
        status, report = await http_get(self.spec.ports["was"], HEALTH, address=self.spec.address)
        return OracleResult(status == 200, {"status": status, "version": report.get("version")})


def keep(path: str) -> str:
    """Return the command that keeps a file as it is before a fault changes it."""
    kept = f"{_KEPT}{path}"
    return f"[ -e {kept} ] || {{ mkdir -p $(dirname {kept}) && cp -p {path} {kept}; }}\n"


def restore(path: str) -> str:
    """Return the command that restores a file that was kept, if it was."""
    return f"[ ! -e {_KEPT}{path} ] || mv {_KEPT}{path} {path}\n"


class MachineFault(BaseFault):
    """One way in which a machine can fail."""

    needs: ClassVar[str]
    """The part that it breaks, as in `spec.Role.has`."""

    def __init__(self, target: MachineTarget) -> None:
        self.target = target
        self.spec = target.spec

    async def close(self) -> None:
        """Release what the fault keeps outside of the machine."""
