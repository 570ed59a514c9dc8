"""Checkpoints are written under a current claim only."""

from __future__ import annotations

from typing import Any

import pytest
from board_env import BoardEnv
from langgraph.checkpoint.base import empty_checkpoint

from guardia.agents import checkpoints
from guardia.board.core.claims import Claim
from guardia.board.runs import beats
from guardia.errors import Stale

THREAD: Any = {"configurable": {"thread_id": "task-1", "checkpoint_ns": ""}}


@pytest.fixture
def env(env: BoardEnv, database: Any) -> BoardEnv:
    checkpoints.setup(database.owner)
    return env


def put(saver: Any, claim: Claim) -> Any:
    with checkpoints.fenced_by(claim):
        config = saver.put(THREAD, empty_checkpoint(), {}, {})
        saver.put_writes(config, [("messages", "late")], "node")
        return config


def test_a_worker_that_lost_its_claim_cannot_write_a_checkpoint(env: BoardEnv) -> None:
    first = env.create_parsed_task()
    pool = checkpoints.open_pool(env.dsn)
    try:
        saver = checkpoints.saver(pool)
        put(saver, first)
        begun = beats.begin(env.board, "db-agent")  # as after the first worker's death
        assert begun is not None
        second = beats.claim_task(env.board, begun)
        assert second is not None
        latest = put(saver, second)
        with pytest.raises(Stale):
            put(saver, first)
        with checkpoints.fenced_by(first), pytest.raises(Stale):
            saver.put_writes(latest, [("messages", "late")], "node")
        found = saver.get_tuple(THREAD)
        assert found is not None
        assert found.config == latest
        assert len(list(saver.list(THREAD))) == 2
    finally:
        pool.close()
