"""Rows are locked in one order everywhere, so no transaction loses a deadlock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from board_env import ENGINEER, LEAD, PM, BoardEnv
from waiting import wait_until

from guardia.board.control import directives, kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.organization import chart
from guardia.board.runs import beats
from guardia.db.engine import OUTAGE_ERRORS, repeat_on_conflict
from guardia.errors import GuardiaError
from guardia.org import chart_edit

OPERATOR = Actor.operator("test")
WAITS_FOR_A_LOCK = """
    select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""


def three_tasks(env: BoardEnv) -> list[int]:
    """Make three waiting tasks, stored in another order than that of their ids."""
    for _ in range(3):
        env.create_issue()
    with psycopg.connect(env.dsn, autocommit=True) as connection:
        ids = [row[0] for row in connection.execute("select task_id from tb_ops_task order by 1")]
        connection.execute("update tb_ops_task set agent_id = 'db-agent', status = 'PARSED'")
        # An updated row moves behind the others, and a scan of the table meets it last.
        for task_id in reversed(ids[:-1]):
            connection.execute(
                "update tb_ops_task set updated_at = now() where task_id = %s", [task_id]
            )
    return ids


def priority(env: BoardEnv, task_id: int) -> None:
    directives.issue_directive(env.board, LEAD, task_id, DirectiveRequest("priority", "급함", "P1"))


@pytest.mark.slow
@pytest.mark.parametrize("work", ["kill", "fire", "priority"])
def test_several_tasks_are_locked_from_the_first_to_the_last(env: BoardEnv, work: str) -> None:
    first, *_, last = three_tasks(env)
    if work == "priority":
        with psycopg.connect(env.dsn) as connection:
            connection.execute(
                "update tb_ops_task set sr_id = (select min(sr_id) from tb_ops_task)"
            )
    text = chart.running_text(env.board)[1]
    works: dict[str, Callable[[], object]] = {
        "kill": lambda: kill_switch.kill(env.board, LEAD, "x"),
        "fire": lambda: chart.apply_chart(env.board, chart_edit.fire(text, "db-agent"), OPERATOR),
        "priority": lambda: priority(env, last),
    }
    lock = "select from tb_ops_task where task_id = %s for no key update"
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(env.dsn, autocommit=True) as watch,
        psycopg.connect(env.dsn) as other,
    ):
        other.execute(lock, [first])
        done = pool.submit(works[work])
        assert wait_until(lambda: done.done() or watch.execute(WAITS_FOR_A_LOCK).fetchone() == (1,))
        # A transaction that waits for the first row holds none of the later ones.
        other.execute(f"{lock} nowait", [last])
        other.commit()
        done.result()


def test_a_lost_conflict_is_repeated() -> None:
    attempts: list[int] = []

    @repeat_on_conflict
    def use_case() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise _database_error(psycopg.errors.DeadlockDetected)
        return len(attempts)

    assert use_case() == 3


def test_another_error_is_not_repeated() -> None:
    attempts: list[int] = []

    @repeat_on_conflict
    def use_case() -> None:
        attempts.append(1)
        raise _database_error(psycopg.errors.DiskFull)

    with pytest.raises(OUTAGE_ERRORS):
        use_case()
    assert len(attempts) == 1


def _database_error(kind: type[psycopg.Error]) -> Exception:
    from sqlalchemy import exc

    return exc.OperationalError("select", {}, kind("lost"))


@pytest.mark.slow
def test_people_and_agents_at_once_lose_no_deadlock(env: BoardEnv, database: Any) -> None:
    tasks = three_tasks(env)
    text = chart.running_text(env.board)[1]
    fired = chart_edit.fire(text, "db-agent")

    def claim(agent: str) -> None:
        begun = beats.begin(env.board, agent)
        if begun is not None:
            held = beats.claim_task(env.board, begun)
            again = beats.claim_task(env.board, begun)
            last = again or held
            beats.end(env.board, begun, "x", task_id=last.task_id if last else None, steps=0)

    acts: tuple[Callable[[random.Random], object], ...] = (
        lambda _: kill_switch.kill(env.board, LEAD, "x"),
        lambda _: kill_switch.release(env.board, PM, "x"),
        lambda _: chart.apply_chart(env.board, fired, OPERATOR),
        lambda _: chart.apply_chart(env.board, text, OPERATOR),
        lambda r: priority(env, r.choice(tasks)),
        lambda r: directives.issue_directive(
            env.board,
            LEAD,
            r.choice(tasks),
            DirectiveRequest("reassign", "x", r.choice(("was-agent", "db-agent", ENGINEER.id))),
        ),
        lambda r: directives.issue_directive(
            env.board, LEAD, r.choice(tasks), DirectiveRequest(r.choice(("pause", "resume")))
        ),
        lambda r: claim(r.choice(("db-agent", "dispatcher", "was-agent"))),
    )
    barrier = threading.Barrier(4)

    def actor(seed: int) -> None:
        choose = random.Random(seed)
        barrier.wait()
        for _ in range(25):
            with suppress(GuardiaError):
                choose.choice(acts)(choose)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(actor, seed) for seed in range(4)]:
            done.result()
    env.board.database.close()  # a session reports its counts when it ends
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        query = "select deadlocks from pg_stat_database where datname = current_database()"
        assert connection.execute(query).fetchone() == (0,)
