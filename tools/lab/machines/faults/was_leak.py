"""Leaking WAS: requests have filled the JVM's heap, and every further one fails."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult, http_get

_CHUNKS = (16, 4, 1)  # megabytes that one request leaves behind, from large to small
_REQUESTS = 30


class WasLeak(MachineFault):
    """The application keeps memory until none is left."""

    name = "was-leak"
    needs = "was"

    async def inject(self) -> None:
        """Leak until requests fail."""
        for megabytes in _CHUNKS:
            for _ in range(_REQUESTS):
                path = f"/minwon/keep.jsp?megabytes={megabytes}"
                address, port = self.spec.address, self.spec.ports["was"]
                status, _ = await http_get(port, path, seconds=10.0, address=address)
                if status != 200:
                    break

    async def heal(self) -> None:
        """Restart it, by force if it no longer reacts."""
        await self.target.run(
            f"pkill -KILL -f '{self.spec.role.make.parts['was'].process}'; sleep 1"
        )
        await self.target.must(self.spec.control("was", "restart"))

    async def probe(self) -> OracleResult:
        """Require a healthy application; its health check allocates memory."""
        return await self.target.health()
