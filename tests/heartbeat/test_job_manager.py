"""Ownership of jobs after a pause, a crash, or a lost database response."""

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


class NoopHandlers:
    """Jobs of a worker that does nothing."""

    def beat(self, agent_id: str, attempt: JobAttempt) -> None: ...

    def deliver(self, outbox_id: int) -> None: ...

    def sign_checkpoint(self) -> None: ...

    def read_server(self, reading_id: int) -> None: ...

    def plan_rollout(self, number: int) -> None: ...

    def remote_run(self, number: int) -> None: ...

    def process_alerts(self, source: str) -> None: ...

    def read_document(self, version_id: int) -> None: ...

    def deliver_webhook(self, delivery_id: int) -> None: ...


@pytest.fixture
def env(env: BoardEnv) -> BoardEnv:
    env.create_issue()  # which wakes the dispatcher: one job
    return env


def opened(env: BoardEnv, work: Any) -> Any:
    """Return the result of `work` on an open engine."""

    async def live() -> Any:
        engine = queue.create_engine_app(env.dsn, NoopHandlers())
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


def age_reports(env: BoardEnv) -> None:
    """Pretend that no worker has reported alive for long, although the database was up."""
    sql(env, "update procrastinate_workers set last_heartbeat = now() - interval '1 day'")


async def begun(job_manager: JobManager) -> tuple[int, Job]:
    number = await job_manager.register_worker()
    job = await job_manager.fetch_job(None, number)
    assert job is not None
    return number, job


def requeue_lost(env: BoardEnv, seconds: float = 0.0) -> list[str]:
    return beats.requeue_lost_jobs(env.board, seconds)


def attempt(job: Job) -> JobAttempt:
    assert job.id is not None
    return JobAttempt(job.id, job.attempts)


def test_a_worker_that_was_declared_dead_cannot_use_its_old_attempt(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        paused, first = await begun(job_manager)
        lost = beats.begin(env.board, "dispatcher", attempt(first))
        assert lost is not None
        assert requeue_lost(env) == ["beat"]
        assert await job_manager.report_alive(paused) is False
        _other, second = await begun(job_manager)
        assert second.id == first.id
        # The paused worker resumes: its attempt is over, so nothing it does has an effect.
        assert beats.begin(env.board, "dispatcher", attempt(first)) is None
        await job_manager.finish_job(first, Status.SUCCEEDED, True)
        await job_manager.retry_job(first)
        # The other attempt is valid, and takes over the wake reasons of the lost beat.
        taken = beats.begin(env.board, "dispatcher", attempt(second))
        assert taken is not None and taken.reasons == ("recovery", "assignment")
        assert taken.issues == lost.issues
        assert beats.claim_task(env.board, lost) is None
        beats.end(env.board, lost, "late", task_id=None, steps=9)
        assert beats.claim_task(env.board, taken) is not None
        await job_manager.finish_job(second, Status.SUCCEEDED, True)

    opened(env, work)
    assert sql(env, "select 1 from procrastinate_jobs") == []
    assert sql(env, "select outcome, steps from tb_agent_run order by run_id") == [
        ("lost", 0),
        (None, 0),
    ]


def test_a_live_worker_keeps_its_job_and_a_fresh_database_declares_no_worker_dead(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        number, _job = await begun(job_manager)
        assert await job_manager.report_alive(number) is True
        assert requeue_lost(env, DEAD) == []
        age_reports(env)
        # Longer than the database has been running.
        assert requeue_lost(env, 86_000.0) == []
        assert await job_manager.report_alive(number) is True

    opened(env, work)


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.5)
    raise AssertionError("not in five minutes")


def test_a_worker_without_a_session_is_dead_unless_it_reconnects(
    env: BoardEnv,
) -> None:
    """All reports are old, but not old enough to declare a connected worker dead."""
    older = "update procrastinate_workers set last_heartbeat = now() - interval '5 seconds'"

    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        paused, _job = await begun(job_manager)
        assert await job_manager.report_alive(paused)
        sql(env, older)
        assert requeue_lost(env, 1_000.0) == []  # it is still connected
        cut = "select pg_terminate_backend(pid) from pg_locks where classid = 1735745892"
        sql(env, cut)
        with pytest.raises(psycopg.OperationalError):
            await job_manager.report_alive(paused)
        assert await job_manager.report_alive(paused)
        sql(env, older)
        assert requeue_lost(env, 1_000.0) == []
        await job_manager.presence.close()
        assert beats.has_lost_jobs(env.board) is False
        # A database that has just started gives its workers time to reconnect.
        await eventually(lambda: requeue_lost(env, 1_000.0) == ["beat"])
        assert beats.has_lost_jobs(env.board) is True
        assert await job_manager.report_alive(paused) is False

    opened(env, work)


def test_locks_of_a_paused_worker_are_freed_when_it_is_declared_dead(
    env: BoardEnv,
) -> None:
    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        number, _job = await begun(job_manager)
        assert await job_manager.report_alive(number)
        with psycopg.connect(env.dsn, **CONNECTION_OPTIONS) as paused:
            paused.execute("select from tb_ops_task for update")
            age_reports(env)
            await eventually(lambda: requeue_lost(env, DEAD) == ["beat"])
            sql(env, "set lock_timeout = '30s'; select from tb_ops_task for update")
            with pytest.raises(psycopg.OperationalError):
                paused.execute("select 1")

    opened(env, work)


def test_a_job_assigned_in_a_lost_response_is_queued_again(env: BoardEnv) -> None:
    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        number = await job_manager.register_worker()
        # Another manager of the same worker fetched it, so this one does not know it.
        job = await JobManager(engine.connector, job_manager.presence).fetch_job(None, number)
        assert job is not None
        assert await job_manager.report_alive(number) is True
        assert sql(env, "select status::text from procrastinate_jobs") == [("doing",)]
        assert await job_manager.report_alive(number) is True
        again = await job_manager.fetch_job(None, number)
        assert again is not None and (again.id, again.attempts) == (job.id, job.attempts + 1)
        assert await job_manager.report_alive(number) and await job_manager.report_alive(number)
        assert sql(env, "select attempts from procrastinate_jobs") == [(again.attempts,)]

    opened(env, work)


def test_requeued_jobs_of_dead_workers_are_announced(env: BoardEnv) -> None:
    async def work(engine: procrastinate.App, job_manager: JobManager) -> None:
        _number, job = await begun(job_manager)
        with psycopg.connect(env.dsn, autocommit=True) as listening:
            listening.execute("listen procrastinate_any_queue_v1")
            assert requeue_lost(env) == ["beat"]
            notification = next(listening.notifies(timeout=PATIENCE))
        assert f'"job_id": {job.id}' in notification.payload

    opened(env, work)


def test_a_job_that_waits_for_a_lock_is_announced_when_the_lock_is_free(env: BoardEnv) -> None:
    async def work(_: procrastinate.App, job_manager: JobManager) -> list[Any]:
        number, job = await begun(job_manager)
        env.create_issue()  # wakes the same agent
        assert await job_manager.fetch_job(None, number) is None
        with psycopg.connect(env.dsn, autocommit=True) as listening:
            listening.execute("listen procrastinate_any_queue_v1")
            await job_manager.finish_job(job, Status.SUCCEEDED, True)
            received = list(listening.notifies(timeout=PATIENCE, stop_after=1))
        following = await job_manager.fetch_job(None, number)
        assert following is not None
        return [
            json.loads(one.payload) == {"type": "job_inserted", "job_id": following.id}
            for one in received
        ]

    assert opened(env, work) == [True]


@pytest.mark.slow
def test_a_job_announced_during_a_fetch_is_not_lost(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = manager.JobManager.fetch_job

    async def work(_: procrastinate.App, job_manager: JobManager) -> bool:
        number, job = await begun(job_manager)
        await job_manager.finish_job(job, Status.SUCCEEDED, True)
        notified = asyncio.Event()

        async def on_notification(**_: Any) -> None:
            notified.set()

        async def fetch_slowly(*given: Any, **more: Any) -> Job | None:
            found = await fetch(*given, **more)
            while not notified.is_set():
                env.create_issue()
                with suppress(TimeoutError):
                    await asyncio.wait_for(notified.wait(), 1)
            return found

        monkeypatch.setattr(manager.JobManager, "fetch_job", fetch_slowly)
        listening = asyncio.create_task(
            job_manager.listen_for_jobs(on_notification=on_notification)
        )
        found = await job_manager.fetch_job(None, number)
        listening.cancel()
        return found is not None

    assert opened(env, work)
