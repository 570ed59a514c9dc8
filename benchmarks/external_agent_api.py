"""Overhead of the agent API for an external agent, compared with the same work by a built-in one.

    make bench NAME=external_agent_api

Runs on a PostgreSQL of its own and the board on a port; the server is a fake that answers at once,
so all measured time is our own. A read by the API goes board -> row -> worker -> gate -> row ->
board.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from adapter_env import LOCKS, adapter_context, adapter_entry, open_adapter_run
from board_env import seeded_env
from external_agents import shared_folder, with_trusted_account
from page_env import page_app, serve_app

from guardia.agents.adapters.contract import HostResources
from guardia.agents.adapters.runner import ExternalAgentRunner
from guardia.board.core.plan import ToolCall
from guardia.board.execution import grants
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.credential_store import FileCredentialStore

ROUNDS = 60


def report_timing(name: str, step: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Print a step's milliseconds: median and 95th percentile."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        took.append((time.perf_counter() - began) * 1000)
    slow = statistics.quantiles(took, n=20)[-1]
    print(f"{name:44} p50 {statistics.median(took):7.1f} ms   p95 {slow:7.1f} ms")


def measure(dsn: str) -> None:
    """Measure reading the task, a read by the API, a read by our own gate, and an empty session."""
    with seeded_env(dsn) as env, serve_app(page_app(env.board)) as board_url:
        with open_adapter_run(env, calls=10_000) as found:
            api = f"{board_url}/api/agent/tasks/{found.claim.task_id}"
            bearer = {"authorization": f"Bearer {found.token}"}
            gate = adapter_context(env, found.claim, found.transport).gate
            grant, call = grants.grant_reads(env.board, found.claim), ToolCall.model_validate(LOCKS)
            with httpx.Client(headers=bearer, timeout=60) as client:
                report_timing("GET the task", lambda: client.get(api).raise_for_status())
                report_timing(
                    "POST a read", lambda: client.post(f"{api}/reads", json=LOCKS).json()["ok"]
                )
            report_timing("the same read by our own agent", lambda: gate.read(grant, call))
        with shared_folder() as folder:
            runner = ExternalAgentRunner(
                board_url, HostResources(folder, FileCredentialStore(folder / "keys"))
            )
            agent = adapter_entry(
                with_trusted_account({"kind": "process", "command": ["/bin/true"]})
            )
            context = adapter_context(env, env.create_parsed_task(), found.transport)
            report_timing(
                "a session of /bin/true",
                lambda: runner._run_session(context, agent, lambda: False),
                20,
            )


def main() -> None:
    """Measure on a fresh database."""
    with tempfile.TemporaryDirectory(prefix="guardia-bench-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder) / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("bench", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "bench"))
            measure(cluster.dsn(APPLICATION_ROLE, "bench"))


if __name__ == "__main__":
    main()
