"""What the gate adds to a command: claim, grant, rules, write-ahead entry, result, audit log.

    make bench NAME=gate

Everything is real: a PostgreSQL of its own, the practice fleet, commands over kept SSH connections.
The same read runs by the transport alone, by the gate under an agent's grant, and by the gate for a
person. The processor time of this process and of PostgreSQL is given for each command; the servers'
is not. `benchmarks/ssh.py` compares the transport with others.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from full_stack import FullStack, open_full_stack, seed_full_stack
from inflight_env import claim_tasks
from server_cpu import server_seconds

from guardia.board.core.plan import ToolCall
from guardia.board.execution import grants
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.credential_store import FileCredentialStore
from guardia.tools import planning
from guardia.tools.lab.running_fleet import RunningFleet
from guardia.tools.transport.connections import Connections

READ = ToolCall(tool="host.load", args={})


def ways(stack: FullStack, connections: Connections) -> dict[str, Callable[[], object]]:
    """Return the same read in three ways."""
    (claim,) = claim_tasks(stack, 1)
    grant = grants.grant_reads(stack.board, claim)
    host, engineer = stack.gate.host(grant), stack.person("engineer")
    tool, _, command = planning.prepare(READ, host)
    return {
        "transport": lambda: connections.run(host, command, timeout=tool.timeout),
        "gate, an agent": lambda: stack.gate.read(grant, READ),
        "gate, a person": lambda: stack.gate.inspect(engineer, host.server_id, READ),
    }


def main() -> None:
    """Print the cost of each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=40, help="commands in each round")
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    name, keys = "gate", home / "keys"
    with Cluster(home / "pg") as cluster, RunningFleet.spawn(home / "lab") as fleet:
        cluster.create_roles()
        cluster.create_database(name, owner=OWNER_ROLE)
        owner, app = cluster.dsn(OWNER_ROLE, name), cluster.dsn(APPLICATION_ROLE, name)
        upgrade(owner)
        seed_full_stack(owner, app, fleet, keys)
        with (
            open_full_stack(app, fleet, keys) as stack,
            Connections(FileCredentialStore(keys)) as connections,
        ):
            found = ways(stack, connections)
            for run in found.values():
                run()
            figures: dict[str, list[tuple[float, float, float]]] = {way: [] for way in found}
            for _ in range(chosen.rounds):
                for way, run in found.items():
                    figures[way].append(measure(run, chosen.commands, home / "pg"))
    print(f"{'way':16}{'ms':>9}{'CPU ms':>9}{'PostgreSQL':>12}")
    for way, rounds in figures.items():
        wall, own, database = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{way:16}{wall:9.2f}{own:9.2f}{database:12.2f}")


def measure(run: Callable[[], object], count: int, pg: Path) -> tuple[float, float, float]:
    """Return milliseconds of a command: wall, this process, PostgreSQL."""
    database, own, wall = server_seconds(pg), time.process_time(), time.perf_counter()
    for _ in range(count):
        run()
    spent = time.perf_counter() - wall, time.process_time() - own, server_seconds(pg) - database
    per_command = 1000 / count
    return spent[0] * per_command, spent[1] * per_command, spent[2] * per_command


if __name__ == "__main__":
    main()
