"""Whose turn a job is: after a pause, a death, or an answer that the database could not give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import procrastinate
import psycopg
import pytest
from board_env import BoardEnv
from procrastinate import manager
from procrastinate.jobs import Job, Status
from run_coroutine import run_in_own_loop
from waiting import PATIENCE

from guardia.board.runs import beats
from guardia.db.engine import CONNECTION_OPTIONS
from guardia.db.jobs import JobAttempt
from guardia.heartbeat import queue
from guardia.heartbeat.job_manager import JobManager

DEAD = 8.0


class Nothing:
    """Jobs of a worker that does nothing."""

    def beat(self, agent_id: str, attempt: JobAttempt) -> None: ...

    def deliver(self, outbox_id: int) -> None: ...

    def sign_checkpoint(self) -> None: ...


@pytest.fixture
def env(env: BoardEnv) -> BoardEnv:
    env.create_issue()  # which wakes the dispatcher: one job
    return env


def opened(env: BoardEnv, work: Any) -> Any:
    """What ``work`` makes of an open engine."""

    async def live() -> Any:
        engine = queue.create_engine_app(env.dsn, Nothing())
        async with engine.open_async():
            try:
                return await work(engine, engine.job_manager)
            finally:
                await engine.job_manager.presence.close()

    return run_in_own_loop(live())


def sql(env: BoardEnv, statement: str) -> list[Any]:
    with psycopg.connect(env.dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def silent(env: BoardEnv) -> None:
    """As if no worker had given a sign of life for long, though the database was there."""
    sql(env, "update procrastinate_workers set last_heartbeat = now() - interval '1 day'")


async def begun(attempts: JobManager) -> tuple[int, Job]:
    number = await attempts.register_worker()
    job = await attempts.fetch_job(None, number)
    assert job is not None
    return number, job


def rescued(env: BoardEnv, seconds: float = 0.0) -> list[str]:
    return beats.requeue_lost_jobs(env.board, seconds)


def attempt(job: Job) -> JobAttempt:
    assert job.id is not None
    return JobAttempt(job.id, job.attempts)


def test_a_worker_that_was_taken_for_dead_begins_and_ends_nothing_of_its_old_turn(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        paused, first = await begun(attempts)
        held = beats.begin(env.board, "dispatcher", attempt(first))
        assert held is not None
        assert rescued(env) == ["beat"]
        assert await attempts.report_alive(paused) is False
        _other, second = await begun(attempts)
        assert second.id == first.id
        # It wakes up: its turn is over, whatever it tries.
        assert beats.begin(env.board, "dispatcher", attempt(first)) is None
        await attempts.finish_job(first, Status.SUCCEEDED, True)
        await attempts.retry_job(first)
        # The other one's turn stands, and takes the reasons that the lost beat had.
        taken = beats.begin(env.board, "dispatcher", attempt(second))
        assert taken is not None and taken.reasons == ("recovery", "assignment")
        assert taken.issues == held.issues
        assert beats.claim_task(env.board, held) is None
        beats.end(env.board, held, "late", task_id=None, steps=9)
        assert beats.claim_task(env.board, taken) is not None
        await attempts.finish_job(second, Status.SUCCEEDED, True)

    opened(env, work)
    assert sql(env, "select 1 from procrastinate_jobs") == []
    assert sql(env, "select outcome, steps from tb_agent_run order by run_id") == [
        ("lost", 0),
        (None, 0),
    ]


def test_a_living_worker_keeps_its_job_and_a_fresh_database_takes_nobody_for_dead(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        number, _job = await begun(attempts)
        assert await attempts.report_alive(number) is True
        assert rescued(env, DEAD) == []
        silent(env)
        # Longer than the database itself has been there.
        assert rescued(env, 86_000.0) == []
        assert await attempts.report_alive(number) is True

    opened(env, work)


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.5)
    raise AssertionError("not in five minutes")


def test_who_is_gone_is_known_by_its_session_and_who_only_lost_it_comes_back(
    env: BoardEnv,
) -> None:
    """All are silent for longer than a moment, and for less than it takes to be taken for dead."""
    unheard = "update procrastinate_workers set last_heartbeat = now() - interval '5 seconds'"

    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        paused, _job = await begun(attempts)
        assert await attempts.report_alive(paused)
        sql(env, unheard)
        assert rescued(env, 1_000.0) == []  # it is still connected
        cut = "select pg_terminate_backend(pid) from pg_locks where classid = 1735745892"
        sql(env, cut)
        with pytest.raises(psycopg.OperationalError):
            await attempts.report_alive(paused)
        assert await attempts.report_alive(paused)
        sql(env, unheard)
        assert rescued(env, 1_000.0) == []
        await attempts.presence.close()
        assert beats.has_lost_jobs(env.board) is False
        # A database that has just been started waits for its workers.
        await eventually(lambda: rescued(env, 1_000.0) == ["beat"])
        assert beats.has_lost_jobs(env.board) is True
        assert await attempts.report_alive(paused) is False

    opened(env, work)


def test_locks_that_a_paused_worker_holds_are_let_go_when_it_is_taken_for_dead(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        number, _job = await begun(attempts)
        assert await attempts.report_alive(number)
        with psycopg.connect(env.dsn, **CONNECTION_OPTIONS) as paused:
            paused.execute("select from tb_ops_task for update")
            silent(env)
            await eventually(lambda: rescued(env, DEAD) == ["beat"])
            sql(env, "set lock_timeout = '30s'; select from tb_ops_task for update")
            with pytest.raises(psycopg.OperationalError):
                paused.execute("select 1")

    opened(env, work)


def test_a_job_that_was_given_in_an_answer_that_got_lost_is_queued_again(env: BoardEnv) -> None:
    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        number = await attempts.register_worker()
        # Another manager of the same worker took it: this one never heard of it.
        job = await JobManager(engine.connector, attempts.presence).fetch_job(None, number)
        assert job is not None
        assert await attempts.report_alive(number) is True
        assert sql(env, "select status::text from procrastinate_jobs") == [("doing",)]
        assert await attempts.report_alive(number) is True
        again = await attempts.fetch_job(None, number)
        assert again is not None and (again.id, again.attempts) == (job.id, job.attempts + 1)
        assert await attempts.report_alive(number) and await attempts.report_alive(number)
        assert sql(env, "select attempts from procrastinate_jobs") == [(again.attempts,)]

    opened(env, work)


def test_the_jobs_of_the_dead_are_announced(env: BoardEnv) -> None:
    async def work(engine: procrastinate.App, attempts: JobManager) -> None:
        _number, job = await begun(attempts)
        with psycopg.connect(env.dsn, autocommit=True) as listening:
            listening.execute("listen procrastinate_any_queue_v1")
            assert rescued(env) == ["beat"]
            note = next(listening.notifies(timeout=PATIENCE))
        assert f'"job_id": {job.id}' in note.payload

    opened(env, work)


def test_a_job_that_waits_for_a_lock_is_announced_when_the_lock_is_let_go(env: BoardEnv) -> None:
    async def work(_: procrastinate.App, attempts: JobManager) -> list[Any]:
        number, job = await begun(attempts)
        env.create_issue()  # wakes the same agent
        assert await attempts.fetch_job(None, number) is None
        with psycopg.connect(env.dsn, autocommit=True) as ear:
            ear.execute("listen procrastinate_any_queue_v1")
            await attempts.finish_job(job, Status.SUCCEEDED, True)
            told = list(ear.notifies(timeout=PATIENCE, stop_after=1))
        following = await attempts.fetch_job(None, number)
        assert following is not None
        return [
            json.loads(note.payload) == {"type": "job_inserted", "job_id": following.id}
            for note in told
        ]

    assert opened(env, work) == [True]


def test_what_is_announced_while_a_worker_asks_is_not_lost(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = manager.JobManager.fetch_job

    async def work(_: procrastinate.App, attempts: JobManager) -> bool:
        number, job = await begun(attempts)
        await attempts.finish_job(job, Status.SUCCEEDED, True)
        heard = asyncio.Event()

        async def hear(**_: Any) -> None:
            heard.set()

        async def answer_late(*given: Any, **more: Any) -> Job | None:
            found = await ask(*given, **more)
            while not heard.is_set():
                env.create_issue()
                with suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), 1)
            return found

        monkeypatch.setattr(manager.JobManager, "fetch_job", answer_late)
        listening = asyncio.create_task(attempts.listen_for_jobs(on_notification=hear))
        found = await attempts.fetch_job(None, number)
        listening.cancel()
        return found is not None

    assert opened(env, work)
