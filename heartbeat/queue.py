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

from guardia.board.core.context import Desk
from guardia.board.runs import beats
from guardia.db.engine import AWAY, LASTING
from guardia.db.jobs import Attempt
from guardia.db.presence import Presence
from guardia.heartbeat.job_manager import Attempts

log = logging.getLogger(__name__)

_ALIVE_EVERY = 1.0
_DEAD_AFTER = 8.0
"""Seconds without a sign of life until another worker takes the jobs over of one that is still
connected: that hangs or is paused. Who is gone is known sooner, see ``db.jobs``."""
_LOOK_EVERY = 1.0
_POLL = 2.0
"""Seconds; only for what was announced while the database was away, or to nobody: a job whose lock
was let go by one that died or is to run again."""
_NEVER = 86_400.0
"""Signs of life, prunings and aborts are ours, not procrastinate's."""


class Jobs(Protocol):
    """What the engine runs, each in a thread."""

    def beat(self, agent_id: str, attempt: Attempt) -> None:
        """An agent's beats."""

    def deliver(self, outbox_id: int) -> None:
        """One message of the outbox."""

    def seal(self) -> None:
        """A signed checkpoint of the record."""


def app(dsn: str, run: Jobs) -> procrastinate.App:
    """The engine with its kinds of job."""

    def beat(context: JobContext, agent_id: str) -> None:
        assert context.job.id is not None
        run.beat(agent_id, Attempt(context.job.id, context.job.attempts))

    engine = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=dsn,
            kwargs=dict(LASTING),
            min_size=1,
            max_size=4,
            timeout=5.0,
            # The next one who asks tries at once, instead of waiting for a pause that has grown.
            reconnect_timeout=3.0,
        )
    )
    engine.job_manager = Attempts(engine.connector, Presence(dsn))
    elsewhere = procrastinate.RetryStrategy(retry_exceptions=AWAY)
    engine.task(name="beat", pass_context=True, retry=elsewhere)(beat)
    again = procrastinate.RetryStrategy(max_attempts=8, exponential_wait=2)
    engine.task(name="deliver", retry=again)(run.deliver)
    engine.task(name="seal")(run.seal)
    return engine


async def work(
    engine: procrastinate.App,
    desk: Desk,
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
        rescuer = group.create_task(rescue(desk))
        while not closing.is_set():
            await _shift(engine, closing, alive, concurrency=concurrency, name=name)
        rescuer.cancel()
    await attempts.presence.close()


async def _shift(
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
        fetch_job_polling_interval=_POLL,
        abort_job_polling_interval=_NEVER,
        update_heartbeat_interval=_NEVER,
        stalled_worker_timeout=_NEVER,
        install_signal_handlers=False,
    )
    running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
    signing = asyncio.create_task(_sign(engine, worker, name, alive))
    stopping = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({running, signing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()  # type: ignore[no-untyped-call]
        await running  # which goes on giving signs of life until its last job has ended
    except exceptions.ConnectorException as error:
        log.warning("the database does not answer: %s", error.__cause__ or error)
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), 1.0)
    finally:
        for task in (running, signing, stopping):
            task.cancel()


async def _sign(
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
                if not await attempts.sign(worker_id):
                    log.warning("%s was taken for dead, and begins anew", name)
                    return
                alive()
        except (exceptions.ConnectorException, *AWAY) as error:
            log.warning("the database does not answer: %s", error.__cause__ or error)
        await asyncio.sleep(_ALIVE_EVERY if worker_id is not None else 0.05)


async def rescue(desk: Desk) -> None:
    """Give jobs of dead workers back to the queue; every host does, and none needs a leader.

    Who could not reach the database, or was paused, first waits as long as the others have to
    show that they are alive: it may have been the database that was away.
    """
    judging, last = 0.0, time.monotonic()
    while True:
        now = time.monotonic()
        if now - last > _DEAD_AFTER:
            judging = now + _DEAD_AFTER
        last = now
        if now >= judging:
            try:
                for kind in await asyncio.to_thread(beats.rescue, desk, _DEAD_AFTER):
                    log.warning("a job (%s) had lost its worker; queued again", kind)
            except AWAY as error:
                log.warning("the database does not answer: %s", type(error).__name__)
                judging = time.monotonic() + _DEAD_AFTER
        await asyncio.sleep(_LOOK_EVERY)
