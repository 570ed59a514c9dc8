"""The faults: each is real, and each has an oracle that looks at the service itself.

An oracle knows nothing of GUARDiA, of its board or of its claims.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.lab import layout
from guardia.tools.lab.layout import LabServer
from guardia.tools.lab.oracle import OracleResult, http_get

RemoteRunner = Callable[[str], Awaitable[None]]
"""Runs a command on the server, as its account would."""

_QUEUE_LENGTH = 3  # sessions in the queue until the fault counts as made
_SETTLE_SECONDS = 15.0  # seconds until a fault must show, and until a healed service must be well


class Fault(Protocol):
    """One way in which one server can go wrong."""

    server_id: str

    async def inject(self) -> None:
        """Make it go wrong; ``Refused`` where this machine cannot."""

    async def heal(self) -> None:
        """Put it right from outside, whatever state it is in."""

    async def probe(self) -> OracleResult:
        """The oracle: whether the service is well."""


class LockChain:
    """A closing batch has taken the first account and does not go on: everybody queues up."""

    def __init__(self, server: LabServer, dsn: Callable[[str, str], str]) -> None:
        self.server_id = server.server_id
        self._server = server
        self._dsn = dsn
        self._blocker: psycopg.AsyncConnection[Any] | None = None

    async def inject(self) -> None:
        """Open a transaction, take the account, and leave it idle."""
        await self._release()
        blocker = await self._connect("batch", f"{self._server.spec.app}-closing-batch")
        await blocker.execute("update account set balance = balance - 1 where account_id = 1")
        self._blocker = blocker
        deadline = time.monotonic() + _SETTLE_SECONDS
        while await self._waiting_sessions() < _QUEUE_LENGTH and time.monotonic() < deadline:
            await asyncio.sleep(0.2)

    async def heal(self) -> None:
        """Give the account free."""
        await self._release()

    async def probe(self) -> OracleResult:
        """A real update of the contested account within a second, and nobody waits for long."""
        try:
            return await self._measure()
        except psycopg.OperationalError as error:
            return OracleResult(False, {"error": str(error)})

    async def _measure(self) -> OracleResult:
        began = time.monotonic()
        free = False
        async with await self._connect("app", "oracle") as connection:
            with suppress(psycopg.errors.QueryCanceled):
                async with connection.transaction():
                    await connection.execute("set local statement_timeout = '1s'")
                    await connection.execute(
                        "update account set updated_at = now() where account_id = 1"
                    )
                    free = True
            took = time.monotonic() - began
        waiting = await self._waiting_sessions(longer_than=1.0)
        evidence = {"update_seconds": round(took, 3), "updated": free, "waiting": waiting}
        return OracleResult(free and waiting == 0, evidence)

    async def _waiting_sessions(self, longer_than: float = 0.0) -> int:
        """How many sessions have waited so long for a lock."""
        text = "select count(*) from pg_locks where not granted and extract(epoch from "
        text += "clock_timestamp() - waitstart) > %s"
        async with await self._connect("app", "oracle") as connection:
            row = await (await connection.execute(text, (longer_than,))).fetchone()
        return int(row[0]) if row else 0

    async def _connect(self, role: str, name: str) -> psycopg.AsyncConnection[Any]:
        dsn = self._dsn(f"{self._server.spec.app}_{role}", self._server.spec.name)
        return await psycopg.AsyncConnection.connect(dsn, application_name=name)

    async def _release(self) -> None:
        blocker, self._blocker = self._blocker, None
        if blocker is not None:
            with suppress(psycopg.Error):
                await blocker.close()


class HungServer:
    """The application's process is stopped: its port stays open, but nobody answers."""

    def __init__(self, server: LabServer, remote: RemoteRunner) -> None:
        self.server_id = server.server_id
        self._server = server
        self._remote = remote

    async def inject(self) -> None:
        """Stop the process that runs now."""
        os.kill(int(self._server.pid_file.read_text("ascii")), signal.SIGSTOP)

    async def heal(self) -> None:
        """Continue the process; a new one where it is gone."""
        with suppress(OSError, ValueError):
            os.kill(int(self._server.pid_file.read_text("ascii")), signal.SIGCONT)
        await self._remote(f"{self._server.control} start")

    async def probe(self) -> OracleResult:
        """An HTTP answer within two seconds."""
        return await _health(self._server)


class FullVolume:
    """The log level was left at DEBUG: the flood fills the volume, and the application fails."""

    def __init__(
        self, server: LabServer, remote: RemoteRunner, machine_pid: int, *, has_volume: bool
    ) -> None:
        self.server_id = server.server_id
        self._server = server
        self._remote = remote
        self._has_volume = has_volume
        # The volume is only mounted for the server's processes; this is their view of it.
        self._logs = Path(f"/proc/{machine_pid}/root{server.logs}")

    async def inject(self) -> None:
        """Turn the level up; ``Refused`` without a volume, since it would fill the real disk."""
        if not self._has_volume:
            raise Refused(why=t("lab.no_volume"))
        layout.set_log_level(self._server, "DEBUG")
        await self._remote(f"{self._server.control} reload")
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (await _health(self._server)).good and time.monotonic() < deadline:
            await asyncio.sleep(0.2)

    async def heal(self) -> None:
        """Turn it down, and cut the logs off."""
        layout.set_log_level(self._server, "INFO")
        await self._remote(f"{self._server.control} reload || {self._server.control} start")
        await asyncio.sleep(0.1)  # the block that is being written
        if self._has_volume:
            for path in self._logs.glob("app-debug.log*"):
                os.truncate(path, 0)

    async def probe(self) -> OracleResult:
        """Room on the volume, no growth, and a healthy application."""
        before = self._used()
        await asyncio.sleep(0.5)
        after = self._used()
        health = await _health(self._server)
        percent = round(100 * after / max(1, self._size()))
        evidence = {**health.evidence, "used_percent": percent, "grew_bytes": after - before}
        well = not self._has_volume or (percent < 80 and after - before < 200_000)
        return OracleResult(health.good and well, evidence)

    def _used(self) -> int:
        found = os.statvfs(self._logs)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def _size(self) -> int:
        found = os.statvfs(self._logs)
        return found.f_blocks * found.f_frsize


class FailingDeploy:
    """Nothing to put: a staged release is broken by itself. Well is the old one, in service."""

    def __init__(self, server: LabServer, remote: RemoteRunner) -> None:
        self.server_id = server.server_id
        self._server = server
        self._remote = remote
        self._version = server.spec.releases[0].version

    async def inject(self) -> None:
        """Deploying the staged release is the fault."""
        raise Refused(why=t("lab.no_fault_needed"))

    async def heal(self) -> None:
        """The first release again."""
        layout.activate_release(self._server, self._version)
        _status, report = await http_get(self._server.port or 0, "/health")
        await self._remote(
            f"{self._server.control} {'start' if self._serves(report) else 'restart'}"
        )

    async def probe(self) -> OracleResult:
        """The first release is current, and it is what answers."""
        health = await _health(self._server)
        current = os.readlink(self._server.root / "current")
        evidence = {**health.evidence, "current": current}
        good = health.good and self._serves(health.evidence) and current.endswith(self._version)
        return OracleResult(good, evidence)

    def _serves(self, report: dict[str, Any]) -> bool:
        return report.get("version") == self._version


async def _health(server: LabServer) -> OracleResult:
    status, report = await http_get(server.port or 0, "/health")
    evidence = {"status": status, "version": report.get("version")}
    return OracleResult(status == 200, evidence)


async def wait_for_oracle(fault: Fault, good: bool) -> OracleResult:
    """Wait until the oracle says so; the last finding, also where it never does."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        finding = await fault.probe()
        if finding.good is good or time.monotonic() > deadline:
            return finding
        await asyncio.sleep(0.2)
