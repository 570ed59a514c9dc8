"""Hung WAS: its process is stopped by a signal; the port accepts, nothing responds."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult


class WasHung(MachineFault):
    """Tomcat's process gets SIGSTOP."""

    name = "was-hung"
    needs = "was"

    async def inject(self) -> None:
        """Stop the process."""
        await self.target.must(self._command("STOP"))

    async def heal(self) -> None:
        """Continue the process, and start the service if it is gone."""
        await self.target.run(self._command("CONT"))
        await self.target.must(self.spec.control("was", "start"))

    async def probe(self) -> OracleResult:
        """Require a healthy application."""
        return await self.target.health()

    def _command(self, name: str) -> str:
        return f"pkill -{name} -f '{self.spec.role.make.parts['was'].process}'"
