from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv

from guardia.agents import checkpoints
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.runs import graph_steps

KEEP = timedelta(days=30)
TABLES = {
    "checkpoints": "(thread_id, checkpoint_id, checkpoint, metadata) values (%s, '1', '{}', '{}')",
    "checkpoint_blobs": "(thread_id, channel, version, type) values (%s, 'c', '1', 't')",
    "checkpoint_writes": "(thread_id, checkpoint_id, task_id, idx, channel, blob)"
    " values (%s, '1', 't', 0, 'c', '')",
}


@pytest.fixture
def setup(database: Any) -> None:
    checkpoints.setup(database.owner)


def store(env: BoardEnv, *threads: str) -> None:
    with psycopg.connect(env.dsn) as connection:
        for table, values in TABLES.items():
            for thread in threads:
                connection.execute(f"insert into {table} {values}", [thread])


def stored(env: BoardEnv) -> set[str]:
    """Return the threads, the same in every table."""
    with psycopg.connect(env.dsn) as connection:
        found = [
            {row[0] for row in connection.execute(f"select thread_id from {table}")}
            for table in TABLES
        ]
    assert found[0] == found[1] == found[2]
    return found[0]


def later(env: BoardEnv, days: int) -> BoardContext:
    return replace(env.board, clock=lambda: env.board.clock() + timedelta(days=days))


def direct(env: BoardEnv, claim: Claim, verb: str) -> None:
    directives.issue_directive(env.board, LEAD, claim.task_id, DirectiveRequest(verb, "시험"))


@pytest.mark.slow
def test_only_steps_of_tasks_that_ended_long_ago_are_deleted(env: BoardEnv, setup: None) -> None:
    people, waiting, ended, again = (env.create_filed_plan()[0] for _ in range(4))
    direct(env, ended, "abort")
    for claim in (people, again):
        direct(env, claim, "manual")
    direct(env, again, "return")
    kept = {f"task-{people.task_id}", f"task-{waiting.task_id}", f"task-{again.task_id}-1", "other"}
    gone = {f"task-{ended.task_id}", f"task-{again.task_id}"}
    store(env, *kept, *gone, "task-999999", "task-999998-2")
    assert graph_steps.delete_ended(env.board, KEEP) == 2  # those of no task at all
    assert graph_steps.delete_ended(later(env, 29), KEEP) == 0
    assert stored(env) == kept | gone
    assert graph_steps.delete_ended(later(env, 31), KEEP) == 2
    # A task with people, or one that waits for its approval, may go on after any time.
    assert stored(env) == kept
