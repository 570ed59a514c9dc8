"""How long the kill switch takes with 1, 10 and 50 remote commands in flight on the fleet.

    make bench NAME=kill_switch

Everything is real: a PostgreSQL of its own, the practice fleet, commands over SSH. Times run from
the call until it returns (from then on nothing new starts), until every worker has interrupted its
commands, and until none of their processes is left, counted on the machine that hosts the fleet.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from full_stack import open_full_stack, seed_full_stack
from inflight_env import (
    SlowTransport,
    claim_tasks,
    count_sleeping_commands,
    interrupt_listeners,
    reads_in_flight,
)

from guardia.board.control import kill_switch
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.tools.lab.running_fleet import RunningFleet

COUNTS = (1, 10, 50)
REPEATS = 3


def measure(
    cluster: Cluster, fleet: RunningFleet, keys: Path, count: int, name: str
) -> list[float]:
    """Return seconds until ordered, interrupted and gone; then how many processes are left."""
    cluster.create_database(name, owner=OWNER_ROLE)
    upgrade(cluster.dsn(OWNER_ROLE, name))
    seed_full_stack(cluster.dsn(OWNER_ROLE, name), cluster.dsn(APPLICATION_ROLE, name), fleet, keys)
    with (
        open_full_stack(cluster.dsn(APPLICATION_ROLE, name), fleet, keys, SlowTransport) as stack,
        interrupt_listeners(stack),
    ):
        claims = claim_tasks(stack, count)
        with reads_in_flight(stack, claims) as reads:
            began = time.perf_counter()
            kill_switch.kill(stack.board, stack.person("engineer"), "benchmark")
            ordered = time.perf_counter() - began
            while stack.gate.in_flight.active_count():
                time.sleep(0.002)
            interrupted = time.perf_counter() - began
            while count_sleeping_commands():
                time.sleep(0.02)
            gone = time.perf_counter() - began
            for read in reads:
                read.exception(timeout=20)
        return [ordered, interrupted, gone, float(count_sleeping_commands())]


def main() -> int:
    """Print the median of each."""
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    with Cluster(home / "pg") as cluster, RunningFleet.spawn(home / "lab") as fleet:
        cluster.create_roles()
        print("commands  ordered ms  interrupted ms  gone ms  left")
        for count in COUNTS:
            runs = [
                measure(cluster, fleet, home / "keys", count, f"kill_{count}_{n}")
                for n in range(REPEATS)
            ]
            middle = [sorted(column)[len(column) // 2] for column in zip(*runs, strict=True)]
            ordered, interrupted, gone = (round(seconds * 1000) for seconds in middle[:3])
            left = max(int(run[3]) for run in runs)
            print(f"{count:8}  {ordered:10}  {interrupted:14}  {gone:7}  {left:4}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
