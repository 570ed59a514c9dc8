"""Brute force: someone tries passwords at the machine's real sshd, one after another."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from guardia.tools.lab.machines.faults.base import MachineFault, MachineTarget
from guardia.tools.lab.machines.faults.password_client import sign_in
from guardia.tools.lab.oracle import OracleResult

ATTACKER = "127.0.2.66"
"""The address from which the attempts come."""
_NAMES = ("admin", "root", "oracle", "tomcat", "test", "postgres")
_RECENT_SECONDS = 5.0


class BruteForce(MachineFault):
    """Failed sign-ins without end from one address."""

    name = "brute-force"
    needs = "sshd"

    def __init__(self, target: MachineTarget) -> None:
        super().__init__(target)
        self._attack: asyncio.Task[None] | None = None
        self._heard = 0.0
        """When sshd last asked the attacker for a password."""
        self._attempts = 0

    async def inject(self) -> None:
        """Begin with the attempts."""
        await self.close()
        self._attack = asyncio.create_task(self._try_passwords())

    async def heal(self) -> None:
        """Stop the attempts and forget what kept them out."""
        await self.close()
        await self.target.must(f"sed -i '/{ATTACKER}/d' /etc/hosts.deny")
        self._heard = 0.0

    async def probe(self) -> OracleResult:
        """Require that sshd has not listened to the attacker lately."""
        heard = time.monotonic() - self._heard < _RECENT_SECONDS
        return OracleResult(not heard, {"from": ATTACKER, "attempts": self._attempts})

    async def close(self) -> None:
        """End the attempts."""
        attack, self._attack = self._attack, None
        if attack is not None:
            attack.cancel()
            with suppress(asyncio.CancelledError):
                await attack

    async def _try_passwords(self) -> None:
        while True:
            name = _NAMES[self._attempts % len(_NAMES)]
            self._attempts += 1
            _, said = await sign_in(self.target, name, "1234", source=ATTACKER)
            if "Permission denied" in said:  # otherwise sshd has kept the attacker out
                self._heard = time.monotonic()
            await asyncio.sleep(0.3)
