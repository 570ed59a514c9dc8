"""Full volume: the log level is left at DEBUG, the logs fill the volume, the application fails."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab import layout
from guardia.tools.lab.faults.base import SETTLE_SECONDS, Fault, FaultTarget
from guardia.tools.lab.oracle import OracleResult, probe_health


class FullVolume(Fault):
    """Debug logs flood the log volume of an application server."""

    name = "full-volume"
    server_id = "MOIS-WAS-01"

    def __init__(self, target: FaultTarget) -> None:
        super().__init__(target)
        # The volume is only mounted for the server's processes; this is their view of it.
        self._logs = Path(f"/proc/{target.machine_pid}/root{target.server.logs}")

    async def inject(self) -> None:
        """Raise the log level. Raises `Refused` without a volume: the real disk would fill up."""
        if not self.target.has_volume:
            raise Refused(why=t("lab.no_volume"))
        layout.set_log_level(self.server, "DEBUG")
        await self.target.remote(f"{self.server.control} reload")
        deadline = time.monotonic() + SETTLE_SECONDS
        while (await probe_health(self.server.port)).good and time.monotonic() < deadline:
            await asyncio.sleep(0.2)

    async def heal(self) -> None:
        """Lower the log level and truncate the logs."""
        layout.set_log_level(self.server, "INFO")
        await self.target.remote(f"{self.server.control} reload || {self.server.control} start")
        await asyncio.sleep(0.1)  # for the block that is being written
        if self.target.has_volume:
            for path in self._logs.glob("app-debug.log*"):
                os.truncate(path, 0)

    async def probe(self) -> OracleResult:
        """Require free space on the volume, no growth, and a healthy application."""
        before = self._used()
        await asyncio.sleep(0.5)
        after = self._used()
        health = await probe_health(self.server.port)
        percent = round(100 * after / max(1, self._size()))
        evidence = {**health.evidence, "used_percent": percent, "grew_bytes": after - before}
        has_space = not self.target.has_volume or (percent < 80 and after - before < 200_000)
        return OracleResult(health.good and has_space, evidence)

    def _used(self) -> int:
        stats = os.statvfs(self._logs)
        return (stats.f_blocks - stats.f_bfree) * stats.f_frsize

    def _size(self) -> int:
        stats = os.statvfs(self._logs)
        return stats.f_blocks * stats.f_frsize
