"""Lock chain: an idle transaction holds a row lock and the sessions queue up behind it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import psycopg

from guardia.tools.lab.faults.base import SETTLE_SECONDS, Fault, FaultTarget
from guardia.tools.lab.oracle import OracleResult

_QUEUE_LENGTH = 3  # sessions in the queue until the fault counts as injected


class LockChain(Fault):
    """A closing batch has locked the first account and stays idle in its transaction."""

    name = "lock-chain"
    server_id = "MOF-DB-01"

    def __init__(self, target: FaultTarget) -> None:
        super().__init__(target)
        self._blocker: psycopg.AsyncConnection[Any] | None = None

    async def inject(self) -> None:
        """Open a transaction, lock the account, and leave it idle."""
        await self._release()
        blocker = await self._connect("batch", f"{self.server.spec.app}-closing-batch")
        await blocker.execute("update account set balance = balance - 1 where account_id = 1")
        self._blocker = blocker
        deadline = time.monotonic() + SETTLE_SECONDS
        while await self._waiting_sessions() < _QUEUE_LENGTH and time.monotonic() < deadline:
            await asyncio.sleep(0.2)

    async def heal(self) -> None:
        """Unlock the account."""
        await self._release()

    async def probe(self) -> OracleResult:
        """Require an update of the contested account within a second, and no long waits."""
        try:
            return await self._measure()
        except psycopg.OperationalError as error:
            return OracleResult(False, {"error": str(error)})

    async def _measure(self) -> OracleResult:
        started = time.monotonic()
        updated = False
        async with await self._connect("app", "oracle") as connection:
            with suppress(psycopg.errors.QueryCanceled):
                async with connection.transaction():
                    await connection.execute("set local statement_timeout = '1s'")
                    await connection.execute(
                        "update account set updated_at = now() where account_id = 1"
                    )
                    updated = True
            seconds = time.monotonic() - started
        waiting = await self._waiting_sessions(longer_than=1.0)
        evidence = {"update_seconds": round(seconds, 3), "updated": updated, "waiting": waiting}
        return OracleResult(updated and waiting == 0, evidence)

    async def _waiting_sessions(self, longer_than: float = 0.0) -> int:
        """Return how many sessions have waited longer than this for a lock, in seconds."""
        text = "select count(*) from pg_locks where not granted and extract(epoch from "
        text += "clock_timestamp() - waitstart) > %s"
        async with await self._connect("app", "oracle") as connection:
            row = await (await connection.execute(text, (longer_than,))).fetchone()
        return int(row[0]) if row else 0

    async def _connect(self, role: str, name: str) -> psycopg.AsyncConnection[Any]:
        spec = self.server.spec
        dsn = self.target.dsn(f"{spec.app}_{role}", spec.name)
        return await psycopg.AsyncConnection.connect(dsn, application_name=name)

    async def _release(self) -> None:
        blocker, self._blocker = self._blocker, None
        if blocker is not None:
            with suppress(psycopg.Error):
                await blocker.close()
