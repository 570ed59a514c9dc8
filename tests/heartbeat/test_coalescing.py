"""Wakes through the real queue: many wakes are handled by few beats."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv, seeded_env
from waiting import wait_until

from guardia.board.core import wakes
from guardia.board.core.wake_reasons import WakeReason
from guardia.heartbeat import host
from guardia.settings import Settings


@contextmanager
def working(env: BoardEnv, home: Path) -> Iterator[None]:
    """Run a worker's loop in this process."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    job = host._run_worker(
        Settings(home=home), env.dsn, host.HostOptions(board=False), env.board, stop
    )
    thread = threading.Thread(target=loop.run_until_complete, args=(job,))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.mark.slow
def test_six_wakes_in_a_row_make_at_most_two_beats(database: Any, tmp_path: Path) -> None:
    with seeded_env(database.app) as env:
        for number in range(6):
            with env.board.database.transaction() as session:
                cause = {"comment": number}
                wakes.wake(session, "was-agent", WakeReason.MENTION, env.board.clock(), cause=cause)
        with working(env, tmp_path), psycopg.connect(env.dsn, autocommit=True) as look:
            jobs = "select count(*) from procrastinate_jobs"
            assert wait_until(lambda: look.execute(jobs).fetchone() == (0,))
            runs = look.execute("select causes from tb_agent_run").fetchall()
    assert 1 <= len(runs) <= 2
    assert sorted(cause["comment"] for run in runs for cause in run[0]) == list(range(6))
