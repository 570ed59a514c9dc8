"""No inodes: the spool's volume has space, but not one more file fits."""

from __future__ import annotations

from guardia.tools.lab.machines.faults.base import MachineFault
from guardia.tools.lab.oracle import OracleResult

_SPOOL = "/var/spool/minwon"
_FILES = 200


class NoInodes(MachineFault):
    """Small files of the past have taken every inode of a volume."""

    name = "no-inodes"
    needs = "agent"

    async def inject(self) -> None:
        """Mount a volume with few inodes on the spool and use them up."""
        await self.target.must(
            f"mountpoint -q {_SPOOL} || mount -t tmpfs -o size=16m,nr_inodes={_FILES},mode=0755 "
            f"tmpfs {_SPOOL}\nchown link:link {_SPOOL}\nmkdir -p {_SPOOL}/done\n"
            f"for n in $(seq {_FILES}); do touch {_SPOOL}/done/$n.sent || break; done 2>/dev/null\n"
            f"chown -R link:link {_SPOOL}/done"
        )

    async def heal(self) -> None:
        """Unmount the volume."""
        await self.target.must(f"! mountpoint -q {_SPOOL} || umount --lazy {_SPOOL}")

    async def probe(self) -> OracleResult:
        """Create a file as the agent does."""
        made = await self.target.run(
            f"runuser -u link -- sh -c ': > {_SPOOL}/oracle && rm {_SPOOL}/oracle'"
        )
        shown = await self.target.run(f"df -Pi {_SPOOL} | awk 'NR == 2 {{print $5}}'")
        return OracleResult(made.exit == 0, {"inodes_used": shown.output.strip()})
