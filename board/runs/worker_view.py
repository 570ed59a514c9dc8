"""Workers and the queue of jobs, for pages and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.org.directory import PersonInfo

READ = "worker.read"
SILENT_SECONDS = 8
"""Silence after which a worker counts as lost."""
_WORKERS = text(f"""
    select w.id, w.last_heartbeat,
        w.last_heartbeat > now() - interval '{SILENT_SECONDS} s' as alive,
        count(j.id) as jobs,
        coalesce(array_agg(j.task_name order by j.id)
            filter (where j.id is not null), '{{}}') as names
    from procrastinate_workers as w
    left join procrastinate_jobs as j on j.worker_id = w.id and j.status = 'doing'
    group by w.id order by w.id limit 200
""")
_IS_SERVED = f"""
    select exists (select from procrastinate_workers
                   where last_heartbeat > now() - interval '{SILENT_SECONDS} s')
"""
_QUEUE = text("""
    select task_name, status::text as status, count(*) as jobs,
        min(scheduled_at) as next_at, max(attempts) as attempts
    from procrastinate_jobs where status in ('todo', 'doing', 'failed')
    group by task_name, status order by task_name, status
""")
_FAILED = text("""
    select id, task_name, attempts, args::text as args,
        (select max(at) from procrastinate_events as e where e.job_id = j.id) as at
    from procrastinate_jobs as j where status = 'failed' order by id desc limit 20
""")


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process."""

    number: int
    seen_at: datetime
    alive: bool
    jobs: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueRow:
    """The jobs of one kind in one state."""

    name: str
    status: str
    jobs: int
    next_at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that is not tried again."""

    number: int
    name: str
    attempts: int
    args: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """Workers, what waits for them, and what failed."""

    workers: tuple[WorkerRow, ...]
    queue: tuple[QueueRow, ...]
    failed: tuple[FailedJob, ...]


def has_worker(board: BoardContext) -> bool:
    """Return whether any worker process is alive now."""
    return bool(board.database.glance(_IS_SERVED, {})[0])


def read_queue(board: BoardContext, by: PersonInfo | Actor) -> QueueView:
    """Return the workers and the queue as they are now."""
    require_actor(by, READ)
    with board.database.reading() as session:
        return QueueView(
            tuple(
                WorkerRow(r.id, r.last_heartbeat, r.alive, r.jobs, tuple(r.names))
                for r in session.execute(_WORKERS)
            ),
            tuple(
                QueueRow(r.task_name, r.status, r.jobs, r.next_at, r.attempts)
                for r in session.execute(_QUEUE)
            ),
            tuple(
                FailedJob(r.id, r.task_name, r.attempts, r.args, r.at)
                for r in session.execute(_FAILED)
            ),
        )
