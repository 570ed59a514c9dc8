"""Hung application server: its process is stopped, its port stays open, nothing responds."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from guardia.tools.lab.faults.base import Fault
from guardia.tools.lab.oracle import OracleResult, probe_health


class HungWas(Fault):
    """The process of the application server gets SIGSTOP."""

    name = "hung-was"
    server_id = "MOF-WAS-01"

    async def inject(self) -> None:
        """Stop the running process."""
        os.kill(int(self.server.pid_file.read_text("ascii")), signal.SIGSTOP)

    async def heal(self) -> None:
        """Continue the process, or start a new one if it is gone."""
        with suppress(OSError, ValueError):
            os.kill(int(self.server.pid_file.read_text("ascii")), signal.SIGCONT)
        await self.target.remote(f"{self.server.control} start")

    async def probe(self) -> OracleResult:
        """Require an HTTP response within two seconds."""
        return await probe_health(self.server.port)
