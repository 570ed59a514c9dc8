"""The job queue: procrastinate distributes beats and messages over all worker hosts."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import procrastinate
from procrastinate import exceptions
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from guardia.board.core.context import BoardContext
from guardia.board.intake.channels import RetryLater
from guardia.board.runs import beats
from guardia.db.engine import OUTAGE_ERRORS
from guardia.db.jobs import JobAttempt
from guardia.db.presence import WorkerPresence
from guardia.errors import ClockOff
from guardia.heartbeat.job_manager import JobManager
from guardia.heartbeat.job_pool import create_pool

log = logging.getLogger(__name__)

_ALIVE_INTERVAL = 1.0
_DEAD_AFTER = 8.0
"""Seconds without a report after which other workers take over the jobs of a worker that is still
connected but hangs or is paused. A worker that is gone is detected sooner, see `db.jobs`."""
_RESCUE_INTERVAL = 1.0
_POLL_INTERVAL = 2.0
"""Seconds. Polling only finds jobs that no worker was notified of: announced while the database was
away, to be retried, or waiting for a lock whose worker died."""
_NEVER = 86_400.0
"""Our own code reports liveness, removes dead workers and interrupts jobs, not procrastinate."""


class JobHandlers(Protocol):
    """Functions of the jobs, each called in a thread."""

    def beat(self, agent_id: str, attempt: JobAttempt) -> None:
        """Run an agent's beats."""

    def deliver(self, outbox_id: int) -> None:
        """Send one outbox message."""

    def sign_checkpoint(self) -> None:
        """Sign a checkpoint of the audit log."""

    def read_server(self, reading_id: int) -> None:
        """Carry out a read of a server that a page has asked for."""

    def plan_rollout(self, number: int) -> None:
        """Make the plans of a rollout that a page has asked for."""

    def remote_run(self, number: int) -> None:
        """Read servers of a run of the remote console."""

    def read_document(self, version_id: int) -> None:
        """Read a version of a document."""

    def process_alerts(self, source: str) -> None:
        """Fold and settle the alerts of a monitoring system."""

    def deliver_webhook(self, delivery_id: int) -> None:
        """Make one attempt at a delivery of a webhook."""


class _RetryDelivery(procrastinate.RetryStrategy):
    """Tries a message again after growing pauses, or when the channel has said that it may."""

    def get_retry_decision(
        self, *, exception: BaseException, job: Job
    ) -> procrastinate.RetryDecision | None:
        """Return the time of the next attempt, or `None` after the last one."""
        decision = super().get_retry_decision(exception=exception, job=job)
        if decision is None or not isinstance(exception, RetryLater):
            return decision
        return procrastinate.RetryDecision(retry_in={"seconds": math.ceil(exception.seconds)})


def create_engine_app(dsn: str, run: JobHandlers) -> procrastinate.App:
    """Return the procrastinate app with all kinds of jobs."""

    def beat(context: JobContext, agent_id: str) -> None:
        assert context.job.id is not None
        run.beat(agent_id, JobAttempt(context.job.id, context.job.attempts))

    engine = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            pool_factory=create_pool,
            conninfo=dsn,
            min_size=1,
            max_size=4,
            timeout=5.0,
            # The next request reconnects at once, instead of waiting out a grown backoff.
            reconnect_timeout=3.0,
        )
    )
    engine.job_manager = JobManager(engine.connector, WorkerPresence(dsn))
    retry_on_outage = procrastinate.RetryStrategy(retry_exceptions=OUTAGE_ERRORS)
    engine.task(name="beat", pass_context=True, retry=retry_on_outage)(beat)
    retry_delivery = _RetryDelivery(max_attempts=8, exponential_wait=2)
    engine.task(name="deliver", retry=retry_delivery)(run.deliver)
    engine.task(name="seal")(run.sign_checkpoint)
    engine.task(name="read_server", retry=retry_on_outage)(run.read_server)
    engine.task(name="plan_rollout", retry=retry_on_outage)(run.plan_rollout)
    engine.task(name="remote_run", retry=retry_on_outage)(run.remote_run)
    engine.task(name="read_document", retry=retry_on_outage)(run.read_document)
    engine.task(name="alerts", retry=retry_on_outage)(run.process_alerts)
    engine.task(name="webhook", retry=retry_on_outage)(run.deliver_webhook)
    return engine


async def run_worker(
    engine: procrastinate.App,
    board: BoardContext,
    closing: asyncio.Event,
    *,
    concurrency: int,
    name: str,
    on_alive: Callable[[], None],
    on_clock_back: Callable[[], None],
) -> None:
    """Take jobs until `closing`, then wait for the running ones.

    `on_alive` is called after each report that the database accepted. While this host's clock is
    off it takes none; `on_clock_back` is called when it is right again.
    """
    manager: Any = engine.job_manager
    async with asyncio.TaskGroup() as group:
        rescuer = group.create_task(rescue_lost_jobs(board))
        while not closing.is_set():
            if await _wait_for_clock(board, closing):
                on_clock_back()
            await _run_registration(
                engine, board, closing, on_alive, concurrency=concurrency, name=name
            )
        rescuer.cancel()
    await manager.presence.close()


async def _wait_for_clock(board: BoardContext, closing: asyncio.Event) -> bool:
    """Wait until this host's clock is right; return whether it was not."""
    waited = False
    while not closing.is_set() and (problem := await _clock_problem(board)) is not None:
        if not waited:
            log.error("this worker takes no jobs: %s", problem)
        waited = True
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), _ALIVE_INTERVAL)
    return waited


async def _clock_problem(board: BoardContext) -> ClockOff | None:
    try:
        return await asyncio.to_thread(board.clock_problem)
    except OUTAGE_ERRORS:
        return None  # the database is away: no clock to compare with


async def _run_registration(
    engine: procrastinate.App,
    board: BoardContext,
    closing: asyncio.Event,
    on_alive: Callable[[], None],
    *,
    concurrency: int,
    name: str,
) -> None:
    """Run one registration of this worker, until it shuts down or is declared dead."""
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
    reporting = asyncio.create_task(_report_liveness(engine, board, worker, name, on_alive))
    stopping = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({running, reporting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()  # type: ignore[no-untyped-call]
        await running  # liveness reports continue until the last job has ended
    except exceptions.ConnectorException as error:
        log.warning("database unavailable: %s", error.__cause__ or error)
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), 1.0)
    finally:
        for task in (running, reporting, stopping):
            task.cancel()


async def _report_liveness(
    engine: procrastinate.App,
    board: BoardContext,
    worker: Worker,
    name: str,
    on_alive: Callable[[], None],
) -> None:
    """Report this worker alive; return if others have declared it dead, or if its clock is off."""
    manager: Any = engine.job_manager
    known: int | None = None
    while True:
        worker_id = worker.worker_id
        if await _clock_problem(board) is not None:
            return
        try:
            if worker_id is not None:
                if worker_id != known:
                    log.info("%s registered as worker %s", name, worker_id)
                    known = worker_id
                if not await manager.report_alive(worker_id):
                    log.warning("worker %s was declared dead; re-registering", name)
                    return
                on_alive()
        except (exceptions.ConnectorException, *OUTAGE_ERRORS) as error:
            log.warning("database unavailable: %s", error.__cause__ or error)
        await asyncio.sleep(_ALIVE_INTERVAL if worker_id is not None else 0.05)


async def rescue_lost_jobs(board: BoardContext) -> None:
    """Requeue jobs of dead workers. Every host does this, so it needs no leader.

    A host that was paused or could not reach the database first waits as long as the others have
    for their reports: it may have been the database that was away.
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
                    log.warning("requeued a %s job of a dead worker", kind)
            except OUTAGE_ERRORS as error:
                log.warning("database unavailable: %s", type(error).__name__)
                judge_from = time.monotonic() + _DEAD_AFTER
        await asyncio.sleep(_RESCUE_INTERVAL)
