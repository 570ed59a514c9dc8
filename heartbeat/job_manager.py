"""procrastinate's job manager, made safe against outages: each attempt at a job ends exactly once.

The database may go away at any moment. The result of an attempt is then written when it is back, a
job that was assigned to us in a lost response is queued again, and a worker that was declared dead
changes nothing that others have taken over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from procrastinate import connector, exceptions, jobs, manager

from guardia.db.presence import WorkerPresence

log = logging.getLogger(__name__)

_RETRY_DELAY = 0.5
_OWNED = """
    select id from procrastinate_jobs
    where id = %(job_id)s and attempts = %(attempt)s and status = 'doing' for update
"""
_FINISH = f"""
    select procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s) from ({_OWNED}) as mine
"""
_ANNOUNCE_NEXT = """
    select pg_notify('procrastinate_any_queue_v1',
        json_build_object('type', 'job_inserted', 'job_id', id)::text) from procrastinate_jobs
    where status = 'todo' and lock = %(lock)s and (scheduled_at is null or scheduled_at <= now())
    limit 1
"""
_RETRY = f"""
    select procrastinate_retry_job_v2(
        id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s) from ({_OWNED}) as mine
"""
_REQUEUE_UNRECEIVED = """
    select procrastinate_retry_job_v2(id, null, null, null, null) from (
        select id from procrastinate_jobs
        where id = any(%(lost)s) and worker_id = %(worker_id)s and status = 'doing' for update
    ) as lost
"""


class JobManager(manager.JobManager):
    """procrastinate's job manager for one worker process."""

    def __init__(self, base_connector: connector.BaseConnector, presence: WorkerPresence) -> None:
        super().__init__(base_connector)
        self.presence = presence
        self._running: dict[int, int] = {}
        self._missing: set[int] = set()
        self._announcements = 0
        """Number of job announcements received."""

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Return the next job; `None` if there is none or the database is away."""
        while True:
            announced = self._announcements
            try:
                job = await super().fetch_job(queues, worker_id)
            except exceptions.ConnectorException as error:
                await _pause_for_outage(error)
                return None
            # procrastinate's worker ignores announcements while it fetches, and that job may have
            # been committed too late for this response: fetch again.
            if job is not None or announced == self._announcements:
                break
        if job is not None and job.id is not None:
            self._running[job.id] = job.attempts
        return job

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """End this attempt unless it was lost, and announce the next job that waits for its lock.

        That job was announced when no worker could take it yet.
        """
        await self._persist(_FINISH, job, status=status.value, delete_job=delete_job)
        if job.lock is not None:
            # Only now: a job that is queued from here on is announced when it can be taken.
            with suppress(exceptions.ConnectorException):  # polling finds it a little later
                await self.connector.execute_query_async(query=_ANNOUNCE_NEXT, lock=job.lock)

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Queue the job again after this attempt, unless the attempt was lost."""
        values = {"retry_at": retry_at, "priority": priority, "queue": queue, "lock": lock}
        await self._persist(_RETRY, job, **values)

    async def listen_for_jobs(self, *, on_notification: Any, **more: Any) -> None:
        """Listen for new jobs, and reconnect whenever the database was away."""

        async def announced(**notification: Any) -> None:
            self._announcements += 1
            await on_notification(**notification)

        while True:
            try:
                await super().listen_for_jobs(on_notification=announced, **more)
            except exceptions.ConnectorException as error:
                await _pause_for_outage(error)

    async def report_alive(self, worker_id: int) -> bool:
        """Report this worker alive; return whether it is still registered."""
        doing = await self.presence.report_alive(worker_id)
        if doing is None:
            return False
        await self._requeue_unreceived(worker_id, doing)
        return True

    async def _requeue_unreceived(self, worker_id: int, doing: set[int]) -> None:
        """Queue jobs again that the database assigned to us in a response which never arrived.

        A job must be missing twice, because its response may be on its way.
        """
        unknown = doing - self._running.keys()
        lost = unknown & self._missing
        self._missing = unknown - lost
        if lost:
            log.warning("jobs %s never reached this worker; requeued", sorted(lost))
            await self.connector.execute_query_async(
                query=_REQUEUE_UNRECEIVED, lost=sorted(lost), worker_id=worker_id
            )

    async def _persist(self, query: Any, job: jobs.Job, **values: Any) -> None:
        assert job.id is not None
        while True:
            try:
                await self.connector.execute_query_async(
                    query=query, job_id=job.id, attempt=job.attempts, **values
                )
                break
            except exceptions.ConnectorException as error:
                await _pause_for_outage(error)
        # In the meantime, the same job may have come back to us as another attempt.
        if self._running.get(job.id) == job.attempts:
            del self._running[job.id]


async def _pause_for_outage(error: exceptions.ConnectorException) -> None:
    log.warning("database unavailable: %s", error.__cause__ or error)
    await asyncio.sleep(_RETRY_DELAY)
