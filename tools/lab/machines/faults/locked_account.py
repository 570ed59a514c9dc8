"""Locked account: after too many wrong passwords a user can no longer sign in."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.machines.faults.password_client import sign_in
from guardia.tools.lab.machines.spec import PERSON
from guardia.tools.lab.oracle import OracleResult


class LockedAccount(MachineFault):
    """The password of a user's account is locked."""

    name = "locked-account"
    needs = "accounts"

    async def inject(self) -> None:
        """Lock it."""
        await self.target.must(f"usermod --lock {PERSON}")

    async def heal(self) -> None:
        """Unlock it."""
        await self.target.must(f"usermod --unlock {PERSON}")

    async def probe(self) -> OracleResult:
        """Sign in as the user does."""
        works, said = await sign_in(self.target, PERSON, self.target.password)
        return OracleResult(works, {"account": PERSON, "said": said})
