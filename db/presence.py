"""Presence of workers: each one's session has an advisory lock that PostgreSQL frees when it ends.

So the death of a worker process is known at once, not only by its silence. A paused worker keeps
its session, and so does a vanished host for a while: those are detected by missing reports.
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
"""SQL condition: no session has the lock of this row of `procrastinate_workers`."""
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
"""Ends transactions that paused workers left open, and with them their locks."""
_LOCK = "select pg_try_advisory_lock(%s, %s)"
_UNLOCK_ALL = "select pg_advisory_unlock_all()"
_REPORT_ALIVE = """
    update procrastinate_workers set last_heartbeat = now() where id = %(worker_id)s
    returning array(select job.id from procrastinate_jobs as job
                    where job.worker_id = %(worker_id)s and job.status = 'doing')
"""


class WorkerPresence:
    """The session of one worker process; reconnects for the next report if it was lost."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._session: psycopg.AsyncConnection[Any] | None = None
        self._locked_worker: int | None = None

    async def report_alive(self, worker_id: int) -> set[int] | None:
        """Report this worker alive; return its running jobs, or `None` if it was unregistered."""
        session = await self._open()
        if self._locked_worker != worker_id:
            await session.execute(_UNLOCK_ALL)
            locked = await (await session.execute(_LOCK, [_LOCK_CLASS, worker_id])).fetchone()
            # Our previous session may still have the lock: try again with the next report.
            self._locked_worker = worker_id if locked and locked[0] else None
        row = await (await session.execute(_REPORT_ALIVE, {"worker_id": worker_id})).fetchone()
        return None if row is None else set(row[0])

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._session is None or self._session.closed:
            self._locked_worker = None
            self._session = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, **CONNECTION_OPTIONS
            )
        return self._session
