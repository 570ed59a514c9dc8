"""Start limit: a unit failed so often that systemd starts it no more; the cause is gone since."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault, keep, restore
from guardia.tools.lab.oracle import OracleResult

_FILE = "/etc/link-agent.conf"
_WAIT = "for _ in $(seq 100); do systemctl is-failed -q link-agent && break; sleep 0.1; done"


class StartLimit(MachineFault):
    """The link agent has hit its start limit."""

    name = "start-limit"
    needs = "agent"

    async def inject(self) -> None:
        """Let the agent fail over a wrong setting until its limit, then correct the setting."""
        broken = f"sed -i 's/^LEVEL=.*/LEVEL=INFOO/' {_FILE}; systemctl restart link-agent || true"
        await self.target.must(f"{keep(_FILE)}{broken}\n{_WAIT}\n{restore(_FILE)}")

    async def heal(self) -> None:
        """Forget the failures and start the agent."""
        await self.target.must(f"{restore(_FILE)}systemctl reset-failed link-agent || true")
        await self.target.must("systemctl start link-agent")

    async def probe(self) -> OracleResult:
        """Require that the agent runs."""
        shown = await self.target.run(
            "systemctl show link-agent -p ActiveState -p Result -p NRestarts"
        )
        evidence = dict(line.split("=", 1) for line in shown.output.split() if "=" in line)
        return OracleResult(evidence.get("ActiveState") == "active", evidence)
