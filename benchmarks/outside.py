"""What the way over the board costs an outside agent, beside the same work done by our own.

    PYTHONPATH=src:tests/support .venv/bin/python benchmarks/outside.py

An own PostgreSQL and the board on a port; the server is a stand-in that answers at once, so all of
the time is ours. A read by the API goes board -> row -> worker -> gate -> row -> board.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from adapter_env import LOCKS, at_work, context, entry
from cast import seated
from external_agents import private_folder, trusted
from pages import application, serving

from guardia.agents.adapters.contract import Means
from guardia.agents.adapters.runner import Employer
from guardia.board.core.plan import Call
from guardia.board.execution import tasks
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.keys import FileKeys

ROUNDS = 60


def told(name: str, step: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Milliseconds of one step: median and the slowest of twenty."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        took.append((time.perf_counter() - began) * 1000)
    slow = statistics.quantiles(took, n=20)[-1]
    print(f"{name:44} p50 {statistics.median(took):7.1f} ms   p95 {slow:7.1f} ms")


def measure(dsn: str) -> None:
    """Ask for the task, read by the API, read by our own gate, and a turn that does nothing."""
    with seated(dsn) as cast, serving(application(cast.desk)) as board:
        with at_work(cast, calls=10_000) as found:
            api = f"{board}/api/agent/tasks/{found.hold.task_id}"
            bearer = {"authorization": f"Bearer {found.token}"}
            gate = context(cast, found.hold, found.hands).gate
            grant, call = tasks.observe(cast.desk, found.hold), Call.model_validate(LOCKS)
            with httpx.Client(headers=bearer, timeout=60) as client:
                told("GET the task", lambda: client.get(api).raise_for_status())
                told("POST a read", lambda: client.post(f"{api}/reads", json=LOCKS).json()["ok"])
            told("the same read by our own agent", lambda: gate.read(grant, call))
        with private_folder() as folder:
            employer = Employer(board, Means(folder, FileKeys(folder / "keys")))
            agent = entry(trusted({"kind": "process", "command": ["/bin/true"]}))
            here = context(cast, cast.parsed(), found.hands)
            told("a turn of /bin/true", lambda: employer._turn(here, agent, lambda: False), 20)


def main() -> None:
    """On a fresh database."""
    with tempfile.TemporaryDirectory(prefix="guardia-bench-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("bench", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "bench"))
            measure(cluster.dsn(APPLICATION_ROLE, "bench"))


if __name__ == "__main__":
    main()
