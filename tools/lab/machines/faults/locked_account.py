"""Locked account: a clerk who mistyped too often can no longer sign in."""

from __future__ import annotations

import asyncssh

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.machines.spec import PERSON
from guardia.tools.lab.oracle import OracleResult


class LockedAccount(MachineFault):
    """The password of the clerk's account is locked."""

    name = "locked-account"
    needs = "accounts"

    async def inject(self) -> None:
        """Lock it."""
        await self.target.must(f"usermod --lock {PERSON}")

    async def heal(self) -> None:
        """Unlock it."""
        await self.target.must(f"usermod --unlock {PERSON}")

    async def probe(self) -> OracleResult:
        """Sign in as the clerk does."""
        try:
            async with asyncssh.connect(
                self.spec.address,
                self.spec.ports["ssh"],
                username=PERSON,
                password=self.target.password,
                preferred_auth="password",
                known_hosts=None,
                client_keys=None,
                config=None,
                agent_path=None,
                login_timeout=10,
            ):
                return OracleResult(True, {"account": PERSON})
        except (OSError, asyncssh.Error) as error:
            return OracleResult(False, {"account": PERSON, "error": type(error).__name__})
