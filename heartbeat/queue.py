"""The distributed engine: procrastinate carries beats and messages to any worker host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import procrastinate
from procrastinate import exceptions

log = logging.getLogger(__name__)

_ALIVE_EVERY = 2.0
_DEAD_AFTER = 8.0
"""Seconds without a sign of life until another host takes a worker's jobs over."""
_POLL = 2.0
"""Seconds; only for a job whose lock another one has just let go, which is not notified."""

Job = Callable[..., object]


def app(dsn: str, jobs: dict[str, Job]) -> procrastinate.App:
    """The engine with its kinds of job; ``jobs`` maps a name to what runs in a thread."""
    engine = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    engine.task(name="beat")(jobs["beat"])
    again = procrastinate.RetryStrategy(max_attempts=8, exponential_wait=2)
    engine.task(name="deliver", retry=again)(jobs["deliver"])
    engine.task(name="seal")(jobs["seal"])
    return engine


async def work(engine: procrastinate.App, *, concurrency: int, name: str) -> None:
    """Take jobs until cancelled; finishes what runs when told to stop."""
    async with asyncio.TaskGroup() as group:
        rescuer = group.create_task(rescue(engine))
        await engine.run_worker_async(
            name=name,
            concurrency=concurrency,
            delete_jobs="successful",
            fetch_job_polling_interval=_POLL,
            update_heartbeat_interval=_ALIVE_EVERY,
            stalled_worker_timeout=_DEAD_AFTER,
            install_signal_handlers=False,
            shutdown_graceful_timeout=20,
        )
        rescuer.cancel()


async def rescue(engine: procrastinate.App) -> None:
    """Give jobs of dead workers back to the queue; every host does, and none needs a lock."""
    while True:
        try:
            await _rescue_once(engine)
        except exceptions.ConnectorException as error:
            log.warning("the database does not answer: %s", error)
        await asyncio.sleep(_DEAD_AFTER / 2)


async def _rescue_once(engine: procrastinate.App) -> None:
    for job in await engine.job_manager.get_stalled_jobs(seconds_since_heartbeat=_DEAD_AFTER):
        log.warning("job %s (%s) lost its worker; queued again", job.id, job.task_name)
        await engine.job_manager.retry_job(job)
