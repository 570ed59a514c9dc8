"""Failing deploy: the staged release is broken by itself and fails its health check."""

from __future__ import annotations

import os
from typing import Any

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab import layout
from guardia.tools.lab.faults.base import Fault, FaultTarget
from guardia.tools.lab.oracle import OracleResult, http_get, probe_health


class FailingDeploy(Fault):
    """Deploying the staged release breaks the service; well is the first release in service."""

    name = "failing-deploy"
    server_id = "MOF-WAS-02"
    is_injectable = False

    def __init__(self, target: FaultTarget) -> None:
        super().__init__(target)
        self._version = target.server.spec.releases[0].version

    async def inject(self) -> None:
        """Raise `Refused`: deploying the staged release is the fault."""
        raise Refused(why=t("lab.no_fault_needed"))

    async def heal(self) -> None:
        """Activate the first release again."""
        layout.activate_release(self.server, self._version)
        _status, report = await http_get(self.server.port or 0, "/health")
        verb = "start" if self._serves(report) else "restart"
        await self.target.remote(f"{self.server.control} {verb}")

    async def probe(self) -> OracleResult:
        """Require that the first release is current and serves the requests."""
        health = await probe_health(self.server.port)
        current = os.readlink(self.server.root / "current")
        evidence = {**health.evidence, "current": current}
        good = health.good and self._serves(health.evidence) and current.endswith(self._version)
        return OracleResult(good, evidence)

    def _serves(self, report: dict[str, Any]) -> bool:
        return report.get("version") == self._version
