"""Timer that is off: the closing job no longer runs, and no error says so."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult


class TimerOff(MachineFault):
    """The timer of the closing is stopped and disabled."""

    name = "timer-off"
    needs = "agent"

    async def inject(self) -> None:
        """Stop and disable the timer."""
        await self.target.must("systemctl disable --now closing.timer")

    async def heal(self) -> None:
        """Enable and start the timer."""
        await self.target.must("systemctl enable --now closing.timer")

    async def probe(self) -> OracleResult:
        """Require that the timer is enabled and has a next time."""
        enabled = await self.target.run("systemctl is-enabled closing.timer")
        active = await self.target.run("systemctl is-active closing.timer")
        evidence = {"enabled": enabled.output.strip(), "active": active.output.strip()}
        return OracleResult(enabled.exit == 0 and active.exit == 0, evidence)
