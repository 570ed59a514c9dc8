"""Ticks: one host records each, only an agent with work is woken, the latest is kept."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from board_env import BoardEnv

from guardia.board.runs import beats, ticks

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


def rows(env: BoardEnv, query: str) -> list[Any]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_an_idle_agent_is_not_woken_and_a_tick_counts_once(env: BoardEnv) -> None:
    assert not ticks.tick(env.board, "db-agent", MOMENT)
    assert rows(env, "select agent_id, tick from tb_tick") == [("db-agent", MOMENT)]
    assert rows(env, "select from tb_wake") == []
    assert rows(env, "select from procrastinate_jobs where task_name = 'beat'") == []
    env.create_issue()
    beats.begin(env.board, "dispatcher")
    later = MOMENT + timedelta(minutes=10)
    ticked: list[bool] = []
    hosts = [
        threading.Thread(target=lambda: ticked.append(ticks.tick(env.board, "dispatcher", later)))
        for _ in range(4)
    ]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert sorted(ticked) == [False, False, False, True]
    query = "select reason, cause from tb_wake"
    assert rows(env, query) == [("schedule", {"tick": later.isoformat()})]


def test_old_ticks_are_deleted_except_the_latest(env: BoardEnv) -> None:
    for agent, days in (("db-agent", (30, 20, 1)), ("was-agent", (30, 20))):
        for day in days:
            ticks.tick(env.board, agent, MOMENT - timedelta(days=day))
    assert ticks.delete_old_ticks(env.board, MOMENT - timedelta(days=7)) == 3
    assert ticks.last_ticks(env.board) == {
        "db-agent": MOMENT - timedelta(days=1),
        "was-agent": MOMENT - timedelta(days=20),
    }
