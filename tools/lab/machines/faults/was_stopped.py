"""Stopped WAS: its process has ended and nothing has started it again."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult


class WasStopped(MachineFault):
    """Tomcat is not running."""

    name = "was-stopped"
    needs = "was"

    async def inject(self) -> None:
        """Stop it the regular way."""
        await self.target.must(self.spec.control("was", "stop"))

    async def heal(self) -> None:
        """Start it."""
        await self.target.must(self.spec.control("was", "start"))

    async def probe(self) -> OracleResult:
        """Require a healthy application."""
        return await self.target.health()
