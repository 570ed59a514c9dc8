"""What both databases' lock waits share: who blocks, who waits, and how the oracle sees it."""

from __future__ import annotations

from typing import ClassVar

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult

_WAITERS = 3
_BLOCK = "begin; update account set balance = balance - 1 where account_id = 1;"
_UPDATE = "update account set balance = balance where account_id = 1"


class LockWait(MachineFault):
    """An idle transaction has locked a row, and sessions wait behind it."""

    client: ClassVar[str]
    """The command line of the client, that reads statements from its input."""
    limit: ClassVar[str]
    """The statement that bounds how long the oracle waits for a lock."""
    count_waiting: ClassVar[str]
    """The query that counts the sessions that wait for a lock."""

    async def inject(self) -> None:
        """Lock the row, stay idle, and let others come."""
        await self.heal()
        await self.target.must(
            f'setsid bash -c \'(echo "{_BLOCK}"; exec -a minwon-batch sleep 3600)'
            f" | {self.client}' </dev/null >/dev/null 2>&1 &\nsleep 0.5"
        )
        for _ in range(_WAITERS):
            await self.target.must(
                f"setsid sh -c 'while :; do echo \"{_UPDATE}\" | {self.client}; sleep 1; done' "
                "</dev/null >/dev/null 2>&1 &"
            )

    async def heal(self) -> None:
        """End those sessions' clients."""
        await self.target.run(f"pkill -f '[u]{_UPDATE[1:]}'; pkill -f '^minwon-batch'")

    async def probe(self) -> OracleResult:
        """Require an update of the row within two seconds, and that nothing waits."""
        done = await self.target.run(f'echo "{self.limit} {_UPDATE};" | {self.client}')
        shown = await self.target.run(f'echo "{self.count_waiting}" | {self.client}')
        waiting = shown.output.split()[-1] if shown.output.split() else ""
        evidence = {"updated": done.exit == 0, "waiting": waiting, "said": done.output[-200:]}
        return OracleResult(done.exit == 0 and waiting == "0", evidence)
