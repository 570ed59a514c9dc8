"""The distributed engine: procrastinate carries beats and messages to any worker host."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import procrastinate
from procrastinate import exceptions
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from guardia.board.core.context import BoardContext
from guardia.board.runs import beats
from guardia.db.engine import CONNECTION_OPTIONS, OUTAGE_ERRORS
from guardia.db.jobs import JobAttempt
from guardia.db.presence import WorkerPresence
from guardia.heartbeat.job_manager import JobManager

log = logging.getLogger(__name__)

_ALIVE_INTERVAL = 1.0
_DEAD_AFTER = 8.0
"""Seconds without a sign of life until another worker takes the jobs over of one that is still
connected: that hangs or is paused. Who is gone is known sooner, see ``db.jobs``."""
_RESCUE_INTERVAL = 1.0
_POLL_INTERVAL = 2.0
"""Seconds; only for what was announced while the database was away, or to nobody: a job whose lock
was let go by one that died or is to run again."""
_NEVER = 86_400.0
"""Signs of life, prunings and aborts are ours, not procrastinate's."""


class JobHandlers(Protocol):
    """What the engine runs, each in a thread."""

    def beat(self, agent_id: str, attempt: JobAttempt) -> None:
        """An agent's beats."""

    def deliver(self, outbox_id: int) -> None:
        """One message of the outbox."""

    def sign_checkpoint(self) -> None:
        """A signed checkpoint of the record."""


def create_engine_app(dsn: str, run: JobHandlers) -> procrastinate.App:
    """The engine with its kinds of job."""

    def beat(context: JobContext, agent_id: str) -> None:
        assert context.job.id is not None
        run.beat(agent_id, JobAttempt(context.job.id, context.job.attempts))

    engine = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=dsn,
            kwargs=dict(CONNECTION_OPTIONS),
            min_size=1,
            max_size=4,
            timeout=5.0,
            # The next one who asks tries at once, instead of waiting for a pause that has grown.
            reconnect_timeout=3.0,
        )
    )
    engine.job_manager = JobManager(engine.connector, WorkerPresence(dsn))
    retry_on_outage = procrastinate.RetryStrategy(retry_exceptions=OUTAGE_ERRORS)
    engine.task(name="beat", pass_context=True, retry=retry_on_outage)(beat)
    retry_delivery = procrastinate.RetryStrategy(max_attempts=8, exponential_wait=2)
    engine.task(name="deliver", retry=retry_delivery)(run.deliver)
    engine.task(name="seal")(run.sign_checkpoint)
    return engine


async def run_worker(
    engine: procrastinate.App,
    board: BoardContext,
    closing: asyncio.Event,
    *,
    concurrency: int,
    name: str,
    alive: Callable[[], None],
) -> None:
    """Take jobs until ``closing``, then let those that run come to their end.

    ``alive`` is called after each sign of life that the database has taken.
    """
    attempts: Any = engine.job_manager
    async with asyncio.TaskGroup() as group:
        rescuer = group.create_task(rescue_lost_jobs(board))
        while not closing.is_set():
            await _run_registration(engine, closing, alive, concurrency=concurrency, name=name)
        rescuer.cancel()
    await attempts.presence.close()


async def _run_registration(
    engine: procrastinate.App,
    closing: asyncio.Event,
    alive: Callable[[], None],
    *,
    concurrency: int,
    name: str,
) -> None:
    """One registration of this worker: until told to stop, or until it was taken for dead."""
    worker = Worker(
        app=engine,
        name=name,
        concurrency=concurrency,
        delete_jobs="successful",
        fetch_job_polling_interval=_POLL_INTERVAL,
        abort_job_polling_interval=_NEVER,
        update_heartbeat_interval=_NEVER,
        stalled_worker_timeout=_NEVER,
        install_signal_handlers=False,
    )
    running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
    reporting = asyncio.create_task(_report_liveness(engine, worker, name, alive))
    stopping = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({running, reporting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()  # type: ignore[no-untyped-call]
        await running  # which goes on giving signs of life until its last job has ended
    except exceptions.ConnectorException as error:
        log.warning("the database does not answer: %s", error.__cause__ or error)
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), 1.0)
    finally:
        for task in (running, reporting, stopping):
            task.cancel()


async def _report_liveness(
    engine: procrastinate.App, worker: Worker, name: str, alive: Callable[[], None]
) -> None:
    """Give signs of life; ends where others have taken this worker for dead."""
    attempts: Any = engine.job_manager
    known: int | None = None
    while True:
        worker_id = worker.worker_id
        try:
            if worker_id is not None:
                if worker_id != known:
                    log.info("%s works as number %s", name, worker_id)
                    known = worker_id
                if not await attempts.report_alive(worker_id):
                    log.warning("%s was taken for dead, and begins anew", name)
                    return
                alive()
        except (exceptions.ConnectorException, *OUTAGE_ERRORS) as error:
            log.warning("the database does not answer: %s", error.__cause__ or error)
        await asyncio.sleep(_ALIVE_INTERVAL if worker_id is not None else 0.05)


async def rescue_lost_jobs(board: BoardContext) -> None:
    """Give jobs of dead workers back to the queue; every host does, and none needs a leader.

    Who could not reach the database, or was paused, first waits as long as the others have to
    show that they are alive: it may have been the database that was away.
    """
    judge_from, last = 0.0, time.monotonic()
    while True:
        now = time.monotonic()
        if now - last > _DEAD_AFTER:
            judge_from = now + _DEAD_AFTER
        last = now
        if now >= judge_from:
            try:
                for kind in await asyncio.to_thread(beats.requeue_lost_jobs, board, _DEAD_AFTER):
                    log.warning("a job (%s) had lost its worker; queued again", kind)
            except OUTAGE_ERRORS as error:
                log.warning("the database does not answer: %s", type(error).__name__)
                judge_from = time.monotonic() + _DEAD_AFTER
        await asyncio.sleep(_RESCUE_INTERVAL)
