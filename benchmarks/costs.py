"""Cost of accounting: reserving and settling a model call, and reading a month.

    make bench NAME=costs ARGS="--calls 1000 --workers 4"

Runs on an embedded PostgreSQL of its own with its usual durability, under caps of agent,
institution and company. The month is read before and after, to show that it does not grow with the
calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from board_env import BoardEnv, seeded_env
from budget_env import PRICES, apply_budget_chart, reserve_call

from guardia.board.core.claims import Claim
from guardia.board.costs import metering, report
from guardia.board.costs.metering import ModelCallResult
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade

CAPS = "budgets: {company: {won: 900000000}, institutions: {MOF: {won: 900000000}}}\n"


def main() -> None:
    """Print the figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    try:
        with Cluster(home / "pg") as cluster:
            cluster.create_roles()
            cluster.create_database("bench", owner=OWNER_ROLE)
            upgrade(cluster.dsn(OWNER_ROLE, "bench"))
            with seeded_env(cluster.dsn(APPLICATION_ROLE, "bench")) as env:
                print(json.dumps(measure(env, given.calls, given.workers), indent=2))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(env: BoardEnv, calls: int, workers: int) -> dict[str, float]:
    """Return milliseconds per call, calls per second, and milliseconds to read the month."""
    apply_budget_chart(env, "{won: 900000000}", PRICES + CAPS)
    claim = env.create_parsed_task()
    one = [timed(lambda: call(env, claim)) for _ in range(100)]
    before = timed(lambda: month(env), 10)
    with ThreadPoolExecutor(workers) as pool:
        seconds = timed(lambda: list(pool.map(lambda _: call(env, claim), range(calls)))) / 1000
    return {
        "one_call_ms": round(sorted(one)[50], 2),
        "workers": workers,
        "calls_per_second": round(calls / seconds, 1),
        "month_ms_before": round(before, 2),
        "month_ms_after": round(timed(lambda: month(env), 10), 2),
    }


def call(env: BoardEnv, claim: Claim) -> None:
    """Reserve and settle one call."""
    metering.settle(
        env.board, reserve_call(env.board, claim), ModelCallResult("used", "", 500, 40, 800)
    )


def month(env: BoardEnv) -> None:
    """Read what the costs page reads."""
    report.cost_report(env.board, report.this_month(env.board))


def timed(work: Callable[[], object], times: int = 1) -> float:
    """Return milliseconds per run of `work`."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) * 1000 / times


if __name__ == "__main__":
    main()
