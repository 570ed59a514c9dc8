"""Jobs that start exactly when a transaction commits, stored and delivered by procrastinate.

The board only names a job; `heartbeat.queue` has the functions. A job is a wake-up, never the
source of truth: its function reads the tables again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guardia.db.engine import driver_connection
from guardia.db.presence import ABSENT, END_STUCK_SESSIONS

_RESCUE_LOCK = 0x67756172  # advisory lock: one rescuer at a time
# While the database was down, no worker could report alive. A session may also have ended
# without its worker, which then reconnects.
_DEAD = f"""
    (last_heartbeat < now() - make_interval(secs => :seconds)
     and pg_postmaster_start_time() < now() - make_interval(secs => :seconds)
     or last_heartbeat < now() - interval '3 seconds'
     and pg_postmaster_start_time() < now() - interval '8 seconds' and {ABSENT})
"""
_ANY_LOST = text(f"""
    select exists (select from procrastinate_workers where {_DEAD})
        or exists (select from procrastinate_jobs where status = 'doing' and worker_id is null)
""")
_DEAD_WORKERS = text(f"select id from procrastinate_workers where {_DEAD} order by id for update")
_END_STUCK = text(END_STUCK_SESSIONS)
_DELETE_WORKERS = text("delete from procrastinate_workers where id = any(:fallen)")
_LOST_JOBS = text("""
    select id, task_name, args ->> 'agent_id' as agent, worker_id from procrastinate_jobs
    where status = 'doing' and (worker_id is null or worker_id = any(:fallen))
    order by id for update
""")
_REQUEUE = text("select procrastinate_retry_job_v2(:id, null, 1, null, null)")  # first in line
_NOTIFY = text("select pg_notify('procrastinate_any_queue_v1', :payload)")
LOST_WAIT = """
    exists (
        select from procrastinate_jobs as job
        where status = 'todo' and priority > 0 and (scheduled_at is null or scheduled_at <= now())
          and not exists (select from procrastinate_jobs as other
                          where other.lock = job.lock and other.status = 'doing'))
"""
"""SQL condition: jobs of dead workers wait for a free worker."""
CURRENT = """
    select from procrastinate_jobs
    where id = %(job)s and attempts = %(number)s and status = 'doing' for share
"""
"""SQL that finds, and keeps so until the transaction ends, an attempt that is still valid."""


def deferring(name: str, lock: str, args: str) -> str:
    """Return the SQL of an expression that enqueues a job, for a statement that stores its cause.

    The arguments are SQL, too. It is what procrastinate itself calls; its Python side would cost
    several times as much as the insert.
    """
    return (
        f"procrastinate_defer_jobs_v1(array[row('default', {name}, 0, {lock}, null, {args}, null)"
        "::procrastinate_job_to_defer_v1])"
    )


_DEFER = f"select {deferring('%(name)s::text', '%(lock)s::text', '%(args)s::jsonb')}"


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One attempt at a job; a worker that was declared dead loses it, even if it resumes."""

    job_id: int
    number: int


def defer(session: Session, name: str, *, lock: str | None = None, **args: Any) -> None:
    """Enqueue job `name` in the session's transaction; jobs with the same `lock` run one at a time.

    Duplicates are not dropped here: a dropped job might start before this transaction commits and
    miss its cause. Instead, a job that finds nothing to do ends at once.
    """
    driver_connection(session).execute(
        _DEFER, {"name": name, "lock": lock, "args": json.dumps(args)}
    )


@dataclass(frozen=True, slots=True)
class LostJob:
    """A job whose worker is dead."""

    kind: str
    agent: str | None
    """The agent whose beat it is."""
    worker: int | None


def requeue_lost(session: Session, seconds: float) -> list[LostJob]:
    """Unregister dead workers and requeue their jobs, first in line.

    A worker is dead if its session ended without a reconnect, or if it did not report alive
    for `seconds`. A worker that was only paused notices that it has been unregistered.
    """
    if not session.scalar(_ANY_LOST, {"seconds": seconds}):
        return []
    # Of two concurrent rescuers, one could take a job from the worker that just received it.
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _RESCUE_LOCK})
    dead_workers = list(session.scalars(_DEAD_WORKERS, {"seconds": seconds}))
    session.execute(_END_STUCK, {"workers": dead_workers})
    lost = session.execute(_LOST_JOBS, {"fallen": dead_workers}).all()
    session.execute(_DELETE_WORKERS, {"fallen": dead_workers})
    for job in lost:
        session.execute(_REQUEUE, {"id": job.id})
        # procrastinate does not announce a retried job.
        payload = f'{{"type": "job_inserted", "job_id": {job.id}}}'
        session.execute(_NOTIFY, {"payload": payload})
    return [LostJob(job.task_name, job.agent, job.worker_id) for job in lost]
