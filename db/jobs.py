"""Jobs that begin exactly when a transaction commits, carried by procrastinate.

The board only names a job; ``heartbeat.queue`` holds the functions. A job is a wake-up, never
the truth: whoever runs it reads the tables again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import procrastinate
from sqlalchemy import text
from sqlalchemy.orm import Session

from guardia.db.engine import driver_connection
from guardia.db.presence import ABSENT, END_STUCK_SESSIONS

_RESCUE_LOCK = 0x67756172  # advisory lock: one rescuer at a time
# While the database itself was away nobody could give a sign of life. A session may also have ended
# without its worker, which then comes back.
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
_CURRENT = text("""
    select from procrastinate_jobs
    where id = :job_id and attempts = :number and status = 'doing' for share
""")


_LOST_WAIT = text("""
    select exists (
        select from procrastinate_jobs as job
        where status = 'todo' and priority > 0 and (scheduled_at is null or scheduled_at <= now())
          and not exists (select from procrastinate_jobs as other
                          where other.lock = job.lock and other.status = 'doing'))
""")


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One worker's turn at a job. Who was taken for dead has lost its turn, also if it wakes."""

    job_id: int
    number: int


@cache
def _deferring_app() -> procrastinate.App:
    # Never opened: every defer below runs on the caller's own connection.
    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=""))


def defer(session: Session, name: str, *, lock: str | None = None, **args: Any) -> None:
    """Enqueue job ``name`` in the session's transaction; jobs of one ``lock`` run one by one.

    Duplicates are not dropped here: a dropped job may begin before this transaction commits and
    miss its cause. A job that finds nothing to do ends at once instead.
    """
    _deferring_app().configure_task(name, lock=lock, connection=driver_connection(session)).defer(
        **args
    )


def is_current(session: Session, attempt: JobAttempt) -> bool:
    """Whether that turn is still its worker's; nobody can take it until this transaction ends."""
    found = session.execute(_CURRENT, {"job_id": attempt.job_id, "number": attempt.number})
    return found.first() is not None


@dataclass(frozen=True, slots=True)
class LostJob:
    """A job whose worker is dead."""

    kind: str
    agent: str | None
    """Whose beat it is."""
    worker: int | None


def requeue_lost(session: Session, seconds: float) -> list[LostJob]:
    """Strike off dead workers and queue their jobs again, first in line.

    Dead is whose session has ended and who did not come back, or who gave no sign of life for
    ``seconds``. A worker that was only paused finds that it was struck off.
    """
    if not session.scalar(_ANY_LOST, {"seconds": seconds}):
        return []
    # Two rescuers at once could take a job from the worker that the first had given it to.
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _RESCUE_LOCK})
    dead_workers = list(session.scalars(_DEAD_WORKERS, {"seconds": seconds}))
    session.execute(_END_STUCK, {"workers": dead_workers})
    lost = session.execute(_LOST_JOBS, {"fallen": dead_workers}).all()
    session.execute(_DELETE_WORKERS, {"fallen": dead_workers})
    for job in lost:
        session.execute(_REQUEUE, {"id": job.id})
        # A retried job is not announced by itself.
        payload = f'{{"type": "job_inserted", "job_id": {job.id}}}'
        session.execute(_NOTIFY, {"payload": payload})
    return [LostJob(job.task_name, job.agent, job.worker_id) for job in lost]


def has_lost_waiting(session: Session) -> bool:
    """Whether jobs that lost their worker wait for a free hand."""
    return bool(session.scalar(_LOST_WAIT))
