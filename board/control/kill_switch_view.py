"""What the page of the kill switch shows: what runs now, what waits, and who may release it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.log import snapshot_size
from guardia.board.audit.model import AuditEntry
from guardia.board.control import kill_report
from guardia.board.control.kill_report import StoppedTask
from guardia.board.core.context import BoardContext
from guardia.board.core.kill_switch import ActiveKillSwitch
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import Run
from guardia.board.runs.claiming import CLAIMABLE_STATES, ROLLBACK_TASKS
from guardia.org.access import PERMISSIONS
from guardia.org.model import Agent, Person

_MAX_TASKS = 20
_MAX_NAMES = 10
_IN_OPEN_RUN = exists().where(Run.run_id == Task.run_id, Run.ended_at.is_(None))
_IS_RUNNING = or_(
    Task.status == State.IN_PROGRESS,
    Task.status.in_((State.RECEIVED, State.PARSED)) & _IN_OPEN_RUN,
)
"""Begun, or being diagnosed by an agent now. A plan that is merely approved has not begun."""
_IS_APPROVED = Task.status == State.APPROVED
_IS_WAITING = (
    Task.status.in_(CLAIMABLE_STATES)
    & ~Task.paused
    & Task.agent_id.is_not(None)
    & Task.task_id.not_in(ROLLBACK_TASKS)
)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that runs, or that waits for the release."""

    sr_id: int
    title: str
    server: str | None
    state: State
    agent: str | None
    since: datetime
    tool: str | None
    """Tool of the command that is running now, if any."""


@dataclass(frozen=True, slots=True)
class TaskList:
    """The first tasks of a list, with its true length."""

    rows: tuple[TaskRow, ...]
    total: int
    servers: int
    """Number of different servers of all of them."""


@dataclass(frozen=True, slots=True)
class SwitchPage:
    """Everything on the page of the kill switch."""

    running: TaskList
    approved: TaskList
    """Approved, but not begun."""
    waiting: TaskList
    """What begins after the release; while the switch is off, what is in no other list."""
    stopped: tuple[StoppedTask, ...]
    releasers: tuple[str, ...]
    """Names of people who may release it."""
    more_releasers: int
    position: int

    @property
    def settled(self) -> int:
        """Return how many of the stopped tasks have their final outcome."""
        return sum(task.outcome != "UNDOING" for task in self.stopped)


def switch_page(board: BoardContext, active: ActiveKillSwitch | None) -> SwitchPage:
    """Read the page in one snapshot."""
    with board.database.reading() as session:
        names = _releasers(session)
        return SwitchPage(
            _tasks(session, _IS_RUNNING),
            _tasks(session, _IS_APPROVED),
            _tasks(session, _IS_WAITING if active else _IS_WAITING & ~_IS_RUNNING & ~_IS_APPROVED),
            tuple(kill_report.stopped_tasks(session, active.kill_id)) if active else (),
            names[:_MAX_NAMES],
            max(0, len(names) - _MAX_NAMES),
            snapshot_size(session),
        )


def _tasks(session: Session, condition: ColumnElement[bool]) -> TaskList:
    total, servers = session.execute(
        select(func.count(), func.count(Task.target_server.distinct())).where(condition)
    ).one()
    rows = session.execute(_task_query().where(condition).limit(_MAX_TASKS))
    return TaskList(tuple(_row(row) for row in rows), total, servers)


def _task_query() -> Select[Any]:
    return (
        select(
            Issue.sr_id,
            Issue.title,
            Task.target_server.label("server"),
            Task.status.label("state"),
            Agent.title.label("agent"),
            Task.updated_at.label("since"),
            _running_tool().label("tool"),
        )
        .join(Issue, Issue.sr_id == Task.sr_id)
        .outerjoin(Agent, Agent.agent_id == Task.agent_id)
        .order_by(Task.status != State.IN_PROGRESS, Task.priority, Task.task_id)
    )


def _running_tool() -> Any:
    """Return the tool of a task's last intent, if it has no result yet."""
    last = (
        select(AuditEntry.kind, AuditEntry.detail)
        .where(AuditEntry.task_id == Task.task_id)
        .order_by(AuditEntry.seq.desc())
        .limit(1)
        .correlate(Task)
        .subquery()
    )
    return (
        select(last.c.detail["tool"].astext)
        .where(last.c.kind == EntryKind.INTENT)
        .scalar_subquery()
    )


def _row(found: Any) -> TaskRow:
    fields = found._asdict()
    return TaskRow(**{**fields, "state": State(fields["state"])})


def _releasers(session: Session) -> tuple[str, ...]:
    people = session.execute(
        select(Person.name, Person.title)
        .where(Person.role.in_(PERMISSIONS["control.release"]), Person.active)
        .order_by(Person.role, Person.name)
    )
    return tuple(f"{name} {title}".strip() for name, title in people)
