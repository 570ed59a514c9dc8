"""A worker crash counts against the task that caused it, not against its other tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv, seeded_env

from guardia.board.core.wake_budget import MAX_RECOVERIES
from guardia.board.runs import beats

FILE = """
    with issue as (
        insert into tb_sr_request (title, body, channel, status, created_at, updated_at)
        values ('t', 't', 'web', 'RECEIVED', now(), now()) returning sr_id)
    insert into tb_ops_task (sr_id, status, agent_id, target_server, created_at, updated_at)
        select sr_id, 'PARSED', '{agent}', 'MOF-DB-01', now(), now() from issue returning task_id
"""
FALL = """
    with worker as (
        insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 day')
        returning id)
    insert into procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)
        select 'default', 'beat', 'agent:' || a, jsonb_build_object('agent_id', a), 'doing', id
        from worker, unnest('{agents}'::text[]) as a
"""
FURTHER = "update tb_ops_task set attempt = attempt + 1 where task_id = {}"


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as env:
        yield env


def sql(env: BoardEnv, statement: str) -> list[Any]:
    with psycopg.connect(env.dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def filed(env: BoardEnv, agent: str) -> int:
    """Create a task for an agent."""
    return int(sql(env, FILE.format(agent=agent))[0][0])


def died(env: BoardEnv, *agents: str) -> None:
    """Let a worker die that runs these agents' beats, each with a task, and requeue its jobs."""
    sql(env, FALL.format(agents="{" + ",".join(agents) + "}"))
    assert beats.requeue_lost_jobs(env.board, 1.0) == ["beat"] * len(agents)
    sql(env, "delete from procrastinate_jobs")


def taken(env: BoardEnv, agent: str) -> int | None:
    """Return the task that the agent's next beat claims."""
    begun = beats.begin(env.board, agent)
    found = beats.claim_task(env.board, begun) if begun else None
    return found.task_id if found else None


def begin(env: BoardEnv, agent: str) -> None:
    with psycopg.connect(env.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into tb_wake (agent_id, reason, created_at) values (%s, 'manual', now())",
            [agent],
        )


def stalled(env: BoardEnv) -> list[int]:
    found = sql(
        env,
        "select task_id from tb_ops_task join tb_sr_request using (sr_id)"
        " where stalled_at is not null order by 1",
    )
    return [row[0] for row in found]


@pytest.mark.slow
def test_a_task_that_makes_progress_is_not_blamed_for_crashes(
    env: BoardEnv,
) -> None:
    task = filed(env, "db-agent")
    begin(env, "db-agent")
    for _ in range(3 * MAX_RECOVERIES):
        assert taken(env, "db-agent") == task
        died(env, "db-agent")
        sql(env, FURTHER.format(task))
    assert stalled(env) == []


@pytest.mark.slow
def test_a_task_that_kills_workers_is_stalled_and_other_tasks_continue(
    env: BoardEnv,
) -> None:
    """It crashes together with one task after another, none of which makes progress."""
    poison = filed(env, "sec-agent")
    others = {agent: filed(env, agent) for agent in ("db-agent", "was-agent")}
    for agent in ("sec-agent", *others):
        begin(env, agent)
    assert taken(env, "sec-agent") == poison
    died(env, "sec-agent")
    for number in range(MAX_RECOVERIES):
        with_it = sorted(others)[number % 2]
        assert taken(env, "sec-agent") == poison
        assert taken(env, with_it) == others[with_it]
        died(env, "sec-agent", with_it)
    assert taken(env, "sec-agent") is None
    assert stalled(env) == [poison]
    assert {agent: taken(env, agent) for agent in others} == others


def test_a_database_restart_counts_against_no_task(env: BoardEnv) -> None:
    before = replace(env, board=replace(env.board, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC)))
    task = filed(env, "db-agent")
    begin(env, "db-agent")
    for _ in range(2 * MAX_RECOVERIES):
        assert taken(before, "db-agent") == task
    assert stalled(env) == []
    for _ in range(1 + MAX_RECOVERIES):  # the first of these losses is of a beat from before
        assert taken(env, "db-agent") == task
    assert taken(env, "db-agent") is None
    assert stalled(env) == [task]
