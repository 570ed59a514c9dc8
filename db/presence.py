"""Who is at work: a worker's session holds a lock, which PostgreSQL lets go when its process ends.

So a worker that was killed is known to be gone at once, not only by its silence. One that is paused
keeps its session, and one whose host vanished keeps it for a while: those are known by silence.
"""

from __future__ import annotations

from typing import Any

import psycopg

from guardia.db.engine import CONNECTION_OPTIONS

_LOCK_CLASS = 0x67756164  # of advisory locks: one for each worker
ABSENT = f"""
    not exists (select from pg_locks
                where locktype = 'advisory' and granted and objsubid = 2
                  and database = (select oid from pg_database where datname = current_database())
                  and classid = {_LOCK_CLASS} and objid::bigint = procrastinate_workers.id)
"""
"""Whether nobody holds the lock of a row of ``procrastinate_workers``."""
END_STUCK_SESSIONS = f"""
    select pg_terminate_backend(stuck.pid)
    from pg_locks as lock
    join pg_stat_activity as present using (pid)
    join pg_stat_activity as stuck on stuck.application_name = present.application_name
        and stuck.datname = present.datname and stuck.usename = current_user
        and stuck.state like 'idle in transaction%'
    where lock.locktype = 'advisory' and lock.granted and lock.objsubid = 2
      and lock.classid = {_LOCK_CLASS} and lock.objid::bigint = any(:workers)
"""
"""Ends what workers that are paused have left open in the middle, with the locks that it holds."""
_LOCK = "select pg_try_advisory_lock(%s, %s)"
_UNLOCK_ALL = "select pg_advisory_unlock_all()"
_REPORT_ALIVE = """
    update procrastinate_workers set last_heartbeat = now() where id = %(worker_id)s
    returning array(select job.id from procrastinate_jobs as job
                    where job.worker_id = %(worker_id)s and job.status = 'doing')
"""


class WorkerPresence:
    """The session of one worker process; connects again by itself when it signs the next time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._session: psycopg.AsyncConnection[Any] | None = None
        self._locked_worker: int | None = None

    async def report_alive(self, worker_id: int) -> set[int] | None:
        """Give a sign of life; the jobs that this worker has, ``None`` where it was struck off."""
        session = await self._open()
        if self._locked_worker != worker_id:
            await session.execute(_UNLOCK_ALL)
            held = await (await session.execute(_LOCK, [_LOCK_CLASS, worker_id])).fetchone()
            # Our own session of before may still be there: again at the next sign.
            self._locked_worker = worker_id if held and held[0] else None
        row = await (await session.execute(_REPORT_ALIVE, {"worker_id": worker_id})).fetchone()
        return None if row is None else set(row[0])

    async def close(self) -> None:
        """Leave."""
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._session is None or self._session.closed:
            self._locked_worker = None
            self._session = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, **CONNECTION_OPTIONS
            )
        return self._session
