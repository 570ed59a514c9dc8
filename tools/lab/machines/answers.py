"""Answers to requests at the control socket: commands as root, faults and their oracles."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from guardia.errors import NotFound, OperatorError
from guardia.tools.lab.faults.base import wait_for_oracle
from guardia.tools.lab.machines.container import Container
from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.machines.inventory import MachineEntry

_SETTLE_SECONDS = 120.0
"""Seconds until a fault must show and until a healed machine must be well: a JVM starts slowly."""


@dataclass(frozen=True)
class Running:
    """A machine that was started, with the faults that it can have."""

    container: Container
    entry: MachineEntry
    faults: dict[str, MachineFault]


class Answers:
    """Carries out requests on the machines."""

    def __init__(self, machines: dict[str, Running]) -> None:
        self._machines = machines

    async def answer(self, request: dict[str, Any]) -> Any:
        """Carry out one request of the control socket. Raises `NotFound` for what there is not."""
        match request.get("do"):
            case "status":
                return await self._status()
            case "run":
                container = self._machine(request).container
                return asdict(await container.run(str(request.get("command"))))
            case "oracle":
                return asdict(await self._fault(request).probe())
            case "fault":
                fault = self._fault(request)
                await fault.inject()
                return asdict(await wait_for_oracle(fault, False, _SETTLE_SECONDS))
            case "heal":
                return await self._heal(request)
        raise NotFound(what=str(request.get("do")))

    def _machine(self, request: dict[str, Any]) -> Running:
        found = self._machines.get(str(request.get("machine")))
        if found is None:
            raise NotFound(what=str(request.get("machine")))
        return found

    def _fault(self, request: dict[str, Any]) -> MachineFault:
        """Return a fault of the machine that is named, or of the first that can have it."""
        name, machines = str(request.get("name")), self._chosen(request)
        found = next((one.faults[name] for one in machines if name in one.faults), None)
        if found is None:
            raise NotFound(what=name)
        return found

    async def _heal(self, request: dict[str, Any]) -> dict[str, Any]:
        every = request.get("name") == "all"
        chosen = await self._unwell(request) if every else [self._fault(request)]
        for fault in chosen:  # one after another, because some restart the same service
            await fault.heal()
        waits = (wait_for_oracle(fault, True, _SETTLE_SECONDS) for fault in chosen)
        results = await asyncio.gather(*waits)
        bad = [
            f"{fault.spec.name}: {fault.name}: {result.evidence}"
            for fault, result in zip(chosen, results, strict=True)
            if not result.good
        ]
        if bad:
            raise OperatorError(why="; ".join(bad))
        return {"good": True}

    async def _unwell(self, request: dict[str, Any]) -> list[MachineFault]:
        faults = [fault for one in self._chosen(request) for fault in one.faults.values()]
        results = await asyncio.gather(*(fault.probe() for fault in faults))
        return [fault for fault, found in zip(faults, results, strict=True) if not found.good]

    def _chosen(self, request: dict[str, Any]) -> list[Running]:
        return [self._machine(request)] if request.get("machine") else [*self._machines.values()]

    async def _status(self) -> dict[str, Any]:
        pairs = [(one, fault) for one in self._machines.values() for fault in one.faults.values()]
        results = await asyncio.gather(*(fault.probe() for _, fault in pairs))
        machines = {
            name: {**one.entry.model_dump(), "running": one.container.is_running(), "oracles": {}}
            for name, one in self._machines.items()
        }
        for (one, fault), result in zip(pairs, results, strict=True):
            machines[one.entry.name]["oracles"][fault.name] = asdict(result)
        return {"machines": list(machines.values())}
