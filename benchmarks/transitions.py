"""Cost of a state change: CPU of this process and of PostgreSQL, over a bare compare-and-set.

    make bench NAME=transitions ARGS="--issues 100"

Every issue goes RECEIVED -> PARSED -> PENDING_APPROVAL -> APPROVED -> IN_PROGRESS -> COMPLETED
through the board's use cases, as agents and a person would move it: with fence, audit entries,
wakes and messages, and with what an agent reads in order to claim. The floor is one UPDATE with its
commit.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from board_env import LEAD, BoardEnv, assignment, plan, seeded_env
from server_cpu import server_seconds
from sqlalchemy import update

from guardia.board.approvals import decisions
from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.claims import Claim
from guardia.board.core.model import Issue
from guardia.board.execution import assignments, tasks
from guardia.board.runs import beats
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.migrate import upgrade
from guardia.org.credential_store import FileCredentialStore

CHANGES = 5


def cpu(folder: Path, run: Callable[[], None]) -> tuple[float, float, float]:
    """Return the seconds that `run` takes: on the clock, of this process, of PostgreSQL."""
    clock, own, server = time.perf_counter(), time.process_time(), server_seconds(folder)
    run()
    return (
        time.perf_counter() - clock,
        time.process_time() - own,
        server_seconds(folder) - server,
    )


def run_issue_lifecycles(env: BoardEnv, issues: int) -> None:
    """Move issues through the whole lifecycle."""
    filed = plan()
    for _ in range(issues):
        env.create_issue()
        with claimed_in_beat(env, "dispatcher") as claim:
            assignments.file_triage(env.board, claim, assignment("MOF-DB-01"))
        with claimed_in_beat(env, "db-agent") as claim:
            tasks.file_plan(env.board, claim, filed)
        bound = tasks.plan_hash(claim.task_id, filed)
        decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
        with claimed_in_beat(env, "db-agent") as claim:
            tasks.begin_execution(env.board, claim)
            tasks.complete(env.board, claim, "끝")


@contextmanager
def claimed_in_beat(env: BoardEnv, agent: str) -> Iterator[Claim]:
    """Begin an agent's beat, yield what it claims, and end the beat."""
    begun = beats.begin(env.board, agent)
    claim = beats.claim_task(env.board, begun) if begun else None
    assert begun and claim
    yield claim
    beats.end(env.board, begun, "done", task_id=claim.task_id, steps=1)


def bare_updates(env: BoardEnv, changes: int) -> None:
    """Run as many updates of one row, each committed."""
    number = env.create_issue()
    for n in range(changes):
        with env.board.database.transaction() as session:
            session.execute(update(Issue).where(Issue.sr_id == number).values(body=str(n)))


def report(env: BoardEnv, folder: Path, issues: int) -> dict[str, float]:
    changes = issues * CHANGES
    run_issue_lifecycles(env, max(1, issues // 10))
    whole = cpu(folder, lambda: run_issue_lifecycles(env, issues))
    floor = cpu(folder, lambda: bare_updates(env, changes))
    each = [1000 * seconds / changes for seconds in (*whole, *floor)]
    return {
        "changes": changes,
        "ms": round(each[0], 2),
        "process_cpu_ms": round(each[1], 2),
        "postgresql_cpu_ms": round(each[2], 2),
        "bare_ms": round(each[3], 2),
        "bare_cpu_ms": round(each[4] + each[5], 2),
        "cpu_ratio": round((each[1] + each[2]) / (each[4] + each[5]), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--issues", type=int, default=100)
    issues = min(parser.parse_args().issues, 2000)
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    try:
        with Cluster(home / "pg") as cluster:
            cluster.create_roles()
            upgrade(cluster.dsn(OWNER_ROLE))
            with seeded_env(cluster.dsn(APPLICATION_ROLE)) as env:
                env.board = replace(
                    env.board,
                    decision_signer=DecisionSigner.from_store(
                        FileCredentialStore(home / "secrets")
                    ),
                )
                print(json.dumps(report(env, home / "pg", issues)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
