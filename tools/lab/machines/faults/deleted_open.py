"""Deleted and open: a volume is full of a file that no folder shows, because a process keeps it."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult

_VOLUME = "/var/log/minwon"
_MEGABYTES = 16
_FILL = (_MEGABYTES - 1) * 1024 + 1000  # kilobytes
_HOLDER = "collect-minwon-log"
"""Name of the process that keeps the file, as `ps` shows it."""
_MOUNT = f"mount -t tmpfs -o size={_MEGABYTES}m,mode=0755 tmpfs {_VOLUME}"


class DeletedOpen(MachineFault):
    """A collector still writes to a log file that was deleted instead of rotated."""

    name = "deleted-open"
    needs = "accounts"

    async def inject(self) -> None:
        """Fill a small volume with a file, delete the file, and keep it open."""
        await self.heal()
        hold = f"exec -a {_HOLDER} sleep infinity >> {_VOLUME}/collect.log"
        await self.target.must(
            f"mkdir -p {_VOLUME}\n{_MOUNT}\n"
            f"head -c {_FILL}K /dev/zero > {_VOLUME}/collect.log\n"
            f'setsid bash -c "{hold}" </dev/null 2>/dev/null &\nsleep 0.3\n'
            f"rm {_VOLUME}/collect.log"
        )

    async def heal(self) -> None:
        """End the process and unmount the volume."""
        await self.target.run(f"pkill -f '^{_HOLDER}'")
        await self.target.must(f"! mountpoint -q {_VOLUME} || umount --lazy {_VOLUME}")

    async def probe(self) -> OracleResult:
        """Require that the volume has space for a megabyte."""
        shown = await self.target.run(f"df -Pk {_VOLUME} 2>/dev/null | awk 'NR == 2 {{print $4}}'")
        free = int(shown.output.strip() or 1 << 20)
        return OracleResult(free >= 1024, {"free_kilobytes": free})
