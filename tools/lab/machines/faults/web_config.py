"""Wrong configuration of the web server: it was stopped for a change and does not start again."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault, keep, restore
from guardia.tools.lab.oracle import OracleResult, http_get


class WebConfig(MachineFault):
    """The site's configuration has a line that the web server does not know."""

    name = "web-config"
    needs = "web"

    async def inject(self) -> None:
        """Add the line and try to restart."""
        site = self.spec.role.make.site
        await self.target.must(keep(site) + f"printf '\\nproxy_pas minwon;\\n' >> {site}")
        await self.target.run(self.spec.control("web", "restart"))

    async def heal(self) -> None:
        """Restore the configuration and start."""
        await self.target.must(restore(self.spec.role.make.site))
        await self.target.run("systemctl reset-failed nginx 2>/dev/null")
        await self.target.must(self.spec.control("web", "start"))

    async def probe(self) -> OracleResult:
        """Require a page and a configuration with which the server could start again."""
        status, _ = await http_get(self.spec.ports["http"], "/", address=self.spec.address)
        tested = await self.target.run(self.spec.role.make.site_test)
        evidence = {"status": status, "test": tested.output.strip()[-200:]}
        return OracleResult(status == 200 and tested.exit == 0, evidence)
