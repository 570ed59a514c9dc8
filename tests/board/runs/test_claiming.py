"""Order of claims, and their cost with many waiting tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv, seeded_env
from sqlalchemy import text

from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core import wakes
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.execution import tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.board.runs.beats import RunContext
from guardia.org import chart

FLUSH = "select pg_stat_force_next_flush()"
READ = """
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_user_tables
    where relname like 'tb_%'
"""
FILL = """
    with issues as (
        insert into tb_sr_request (title, body, channel, status, priority, created_at, updated_at)
        select 't', 't', 'web', 'RECEIVED', 'P' || 2 + n % 3, now(), now()
        from generate_series(1, {n}) n
        returning sr_id)
    insert into tb_ops_task (sr_id, status, agent_id, target_server, created_at, updated_at)
        select sr_id, 'PARSED', 'db-agent', 'MOF-DB-01', now(), now() from issues
"""


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as env:
        yield env


def sql(dsn: str, statement: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        found = cursor.fetchall() if cursor.description else []
        connection.execute(FLUSH)
        return found


def begun(env: BoardEnv, agent: str = "db-agent") -> RunContext:
    found = beats.begin(env.board, agent)
    assert found is not None
    return found


def woken(env: BoardEnv) -> None:
    with env.board.database.transaction() as session:
        wakes.wake(session, "db-agent", WakeReason.MANUAL, env.board.clock())


def claimed(env: BoardEnv, beat: RunContext, *done: Claim) -> Claim:
    found = beats.claim_task(env.board, beat, frozenset(h.task_id for h in done))
    assert found is not None
    return found


def test_tasks_of_lost_workers_come_first_then_urgent_then_old_ones(
    env: BoardEnv,
) -> None:
    lost = env.create_parsed_task()
    sql(env.dsn, FILL.format(n=6))
    old, urgent = (t for t, _ in sql(env.dsn, "select task_id, sr_id from tb_ops_task")[-2:])
    directives.issue_directive(env.board, LEAD, urgent, DirectiveRequest("priority", argument="P1"))
    beat = begun(env)  # which closes the previous run as lost
    first = claimed(env, beat)
    assert first.task_id == lost.task_id and first.fence > lost.fence
    tasks.hand_over(env.board, first, "사람에게")
    second = claimed(env, beat)
    third = claimed(env, beat, second)
    assert (second.task_id, third.task_id) == (urgent, lost.task_id + 3)  # the first of P2
    directives.issue_directive(env.board, LEAD, old, DirectiveRequest("priority", argument="P1"))
    assert claimed(env, beat, second, third).task_id == old


def test_a_beat_claims_one_task_so_losing_it_loses_no_other(env: BoardEnv) -> None:
    sql(env.dsn, FILL.format(n=2))
    woken(env)
    beat = begun(env)
    second = claimed(env, beat)
    third = claimed(env, beat, second)  # independent of the second
    rows = "select task_id from tb_ops_task where run_id is not null"
    assert sql(env.dsn, rows) == [(third.task_id,)]
    begun(env)
    lost = "select task_id from tb_ops_task where lost_at is not null"
    assert sql(env.dsn, lost) == [(third.task_id,)]


def read_so_far(env: BoardEnv) -> int:
    """Return the number of rows that ended transactions have read of the board's tables."""
    with env.board.database.transaction() as session:
        session.execute(text(FLUSH))
    return int(sql(env.dsn, READ)[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 1])
def test_a_claim_reads_as_many_rows_of_many_tasks_as_of_few(
    env: BoardEnv, database: Any, limit: int | None
) -> None:
    """Also if an agent without a free slot has to skip all new tasks."""
    if limit:
        entry = "    role: roles/database.md\n"
        limited = chart.shipped_chart_path().read_text("utf-8")
        limited = limited.replace(entry, f"{entry}    limits: {{parallel_tasks: {limit}}}\n")
        organization_chart.apply_chart(env.board, limited, Actor.operator("test"))
        env.create_filed_plan()
    reads = []
    for more in (100, 1_900):
        sql(database.owner, FILL.format(n=more))
        sql(database.owner, "analyze")
        woken(env)
        before = read_so_far(env)
        beat = begun(env)
        found = beats.claim_task(env.board, beat)
        reads.append(read_so_far(env) - before)
        assert (found is None) == bool(limit)
        beats.end(env.board, beat, "x", task_id=None, steps=0)
    assert reads[1] <= reads[0] + 5, reads
