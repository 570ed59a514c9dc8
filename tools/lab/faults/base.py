"""Base of all faults: inject it, heal it from outside, and check the service with an oracle."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from guardia.tools.lab.layout import LabServer
from guardia.tools.lab.oracle import OracleResult

RemoteRunner = Callable[[str], Awaitable[None]]
"""Runs a command on the server under its account."""

SETTLE_SECONDS = 15.0
"""Seconds until a fault must show, and until a healed service must be well."""


@dataclass(frozen=True)
class FaultTarget:
    """The server that a fault affects, with the fleet's access to it."""

    server: LabServer
    remote: RemoteRunner
    machine_pid: int
    """Process that is the root of the server's processes and sees its mounts."""
    has_volume: bool
    """Whether the server's logs are on a volume of their own."""
    dsn: Callable[[str, str], str]
    """Connection string of a role and a database on the server's PostgreSQL."""


class BaseFault(ABC):
    """What every fault does, of the practice fleet and of machines."""

    name: ClassVar[str]
    """As in `guardia lab fault NAME`; its text is `lab.fault.NAME`."""

    @abstractmethod
    async def inject(self) -> None:
        """Break the service. Raises `Refused` if that is impossible on this machine."""

    @abstractmethod
    async def heal(self) -> None:
        """Repair the service from outside, in any state."""

    @abstractmethod
    async def probe(self) -> OracleResult:
        """Ask the oracle whether the service is well."""


class Fault(BaseFault):
    """One way in which one server of the practice fleet can fail."""

    server_id: ClassVar[str]
    is_injectable: ClassVar[bool] = True
    """Whether `inject` does something. Otherwise a deployment brings the fault about."""

    def __init__(self, target: FaultTarget) -> None:
        self.target = target
        self.server = target.server


async def wait_for_oracle(
    fault: BaseFault, good: bool, seconds: float = SETTLE_SECONDS
) -> OracleResult:
    """Probe until the oracle reports `good` or time is up. Returns the last result either way."""
    deadline = time.monotonic() + seconds
    while True:
        result = await fault.probe()
        if result.good is good or time.monotonic() > deadline:
            return result
        await asyncio.sleep(0.2)
