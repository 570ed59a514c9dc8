"""Attribute a worker crash to its likely cause instead of to every task it held.

A loss counts against a task until the task makes progress, which shows that it did not cause the
loss. Among several tasks of one worker, those with the most losses so far count it. A restart of
the database interrupts all work and counts against no task. A task with more than
`MAX_RECOVERIES` losses is handed to people.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, bindparam, func, select
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.model import ActionRun, Task
from guardia.board.core.run_model import Run, TaskCrashCount
from guardia.board.core.wake_budget import MAX_RECOVERIES, WINDOW

_RESTARTED = sql("select pg_postmaster_start_time() > :begun").bindparams(
    bindparam("begun", type_=DateTime(timezone=True))
)


@dataclass(frozen=True, slots=True)
class _CrashCount:
    """Losses of a task since its last progress."""

    task_id: int
    losses: int
    mark: str
    since: datetime
    run_id: int | None
    """The run whose loss was counted last."""


def record_worker_crashes(
    session: Session, agent_groups: Collection[Collection[str]], now: datetime
) -> None:
    """Count the crash of workers, each of which was running beats of one group of agents."""
    for agents in agent_groups:
        held = {row.task_id: row.run_id for row in session.execute(_held(agents))}
        crash_counts = _crash_counts(session, list(held), now)
        most = max((a.losses for a in crash_counts), default=0)
        for crash_count in crash_counts:
            counts = crash_count.losses == most
            _write(session, crash_count, held[crash_count.task_id], now, counts=counts)


def _held(agents: Collection[str]) -> Any:
    return (
        select(Task.task_id, Run.run_id)
        .join(Run, Run.run_id == Task.run_id)
        .where(Run.agent_id.in_(agents), Run.ended_at.is_(None))
    )


def record_lost_run(
    session: Session, run_id: int, begun: datetime, tasks: Sequence[int], now: datetime
) -> list[int]:
    """Count the loss of a run against its tasks; returns those that have lost too many workers.

    If no worker died, the beat lost its database connection: that counts too, unless the database
    was restarted after the beat began.
    """
    crash_counts = _crash_counts(session, tasks, now)
    is_restarted = bool(session.scalar(_RESTARTED, {"begun": begun}))
    found = []
    for crash_count in crash_counts:
        losses = crash_count.losses
        if crash_count.run_id != run_id:
            losses = _write(session, crash_count, run_id, now, counts=not is_restarted)
        if losses > MAX_RECOVERIES:
            found.append(crash_count.task_id)
    return found


def _crash_counts(session: Session, tasks: Sequence[int], now: datetime) -> list[_CrashCount]:
    done = select(func.count()).where(
        ActionRun.task_id == Task.task_id, ActionRun.state != "INTENT"
    )
    steps = done.correlate(Task).scalar_subquery().label("steps")
    query = (
        select(Task.task_id, Task.status, Task.plan_hash, Task.attempt, steps, TaskCrashCount)
        .outerjoin(TaskCrashCount, TaskCrashCount.task_id == Task.task_id)
        .where(Task.task_id.in_(tasks))
        .order_by(Task.task_id)
    )
    return [_crash_count(row, now) for row in session.execute(query)]


def _crash_count(row: Any, now: datetime) -> _CrashCount:
    """Return the losses of a task; progress, or a day without losses, resets them."""
    mark = f"{row.status} {row.plan_hash or '-'} {row.attempt} {row.steps}"
    known: TaskCrashCount | None = row.TaskCrashCount
    if known is None:
        return _CrashCount(row.task_id, 0, mark, now, None)
    if known.mark != mark or known.since < now - WINDOW:
        return _CrashCount(row.task_id, 0, mark, now, known.run_id)
    return _CrashCount(row.task_id, known.losses, mark, known.since, known.run_id)


def _write(
    session: Session, crash_count: _CrashCount, run_id: int, now: datetime, *, counts: bool
) -> int:
    losses = crash_count.losses + int(counts)
    since = crash_count.since if crash_count.losses else now
    values = {"run_id": run_id, "losses": losses, "mark": crash_count.mark, "since": since}
    row = insert(TaskCrashCount).values(task_id=crash_count.task_id, **values)
    session.execute(row.on_conflict_do_update(index_elements=[TaskCrashCount.task_id], set_=values))
    return losses
