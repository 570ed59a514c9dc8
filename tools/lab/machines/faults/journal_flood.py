"""Journal flood: the link agent was left at DEBUG and writes hundreds of lines a second."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault, keep, restore
from guardia.tools.lab.oracle import OracleResult

_FILE = "/etc/link-agent.conf"
_LINES_PER_SECOND = 20
_WINDOW = 3  # seconds


class JournalFlood(MachineFault):
    """Debug lines of one unit fill the journal."""

    name = "journal-flood"
    needs = "agent"

    async def inject(self) -> None:
        """Set the level to DEBUG and restart the agent."""
        changed = f"sed -i 's/^LEVEL=.*/LEVEL=DEBUG/' {_FILE}\n"
        await self.target.must(f"{keep(_FILE)}{changed}systemctl restart link-agent")

    async def heal(self) -> None:
        """Restore the level and restart the agent."""
        restart = "systemctl reset-failed link-agent || true; systemctl restart link-agent"
        await self.target.must(f"{restore(_FILE)}{restart}")

    async def probe(self) -> OracleResult:
        """Count the lines of the last seconds."""
        count = f"journalctl -q -u link-agent --since -{_WINDOW}s -o cat | wc -l"
        shown = await self.target.run(count)
        lines = int(shown.output.strip() or 0) / _WINDOW
        active = await self.target.run("systemctl is-active link-agent")
        evidence = {"lines_per_second": round(lines), "agent": active.output.strip()}
        return OracleResult(lines < _LINES_PER_SECOND and active.exit == 0, evidence)
