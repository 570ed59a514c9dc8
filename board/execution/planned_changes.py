"""Changes that are planned: when they run, on which server, and which of them collide.

A freeze is no business of this module: a rule of the site binds, see `rule_check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, DateTime, Row, Select, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.org.model import Server

EXPECTED_LENGTH = timedelta(hours=1)
"""How long a change is taken to last: a plan declares its start only."""
PLANNED_STATES = (State.PENDING_APPROVAL, State.APPROVED, State.IN_PROGRESS)
_STATES = [state.value for state in PLANNED_STATES]
_MOST = 2000
_MOST_SHOWN = 20
Relation = Literal["same", "group", "service", "bastion"]

_STARTS = func.coalesce(
    Task.run_after, cast(Task.plan["not_before"].astext, DateTime(timezone=True))
)
"""When a planned change starts, if anyone has said so."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change that waits for approval, for its time, or runs."""

    sr_id: int
    task_id: int
    title: str
    server: str
    institution: str
    category: str
    status: State
    begins: datetime | None
    """`None`: as soon as it is approved."""

    @property
    def ends(self) -> datetime | None:
        """When it is expected to be over."""
        return self.begins + EXPECTED_LENGTH if self.begins else None


@dataclass(frozen=True, slots=True)
class ChangeConflict:
    """Another change that collides with a plan."""

    change: PlannedChange
    relation: Relation
    """`same`: the same server; else how both servers depend on each other."""


def planned_between(
    session: Session,
    begins: datetime,
    ends: datetime,
    institution: str = "",
    server: str = "",
) -> list[PlannedChange]:
    """Return the changes that are planned to run in a period, in order."""
    query = _planned().where(ends > _STARTS, begins < _STARTS + EXPECTED_LENGTH)
    return _read(session, _at(query, institution, server).order_by(_STARTS, Task.task_id))


def without_time(session: Session, institution: str = "", server: str = "") -> list[PlannedChange]:
    """Return the changes that start as soon as they are approved, the newest first."""
    query = _at(_planned().where(_STARTS.is_(None)), institution, server)
    return _read(session, query.order_by(Task.task_id.desc()).limit(_MOST_SHOWN))


def conflicts_of(
    session: Session, server: str | None, begins: datetime | None, own: Iterable[int] = ()
) -> tuple[ChangeConflict, ...]:
    """Return the changes that collide with one on a server at a time, `None`: at any time.

    That is on the same server, or on one of the same institution that depends on it: of the same
    group, with a service of the same name, or the server through which the other is reached.
    Without a time a change collides with everything that has none either.
    """
    return conflicts_on(session, [server] if server else [], begins, own).get(server or "", ())


def conflicts_on(
    session: Session, servers: Sequence[str], begins: datetime | None, own: Iterable[int] = ()
) -> dict[str, tuple[ChangeConflict, ...]]:
    """Return what `conflicts_of` does for each of several servers that has any."""
    named = session.scalars(select(Server).where(Server.server_id.in_(servers))).all()
    near: ColumnElement[bool] = _STARTS.is_(None)
    if begins is not None:
        ends = begins + EXPECTED_LENGTH
        near = or_(near, and_(ends > _STARTS, begins < _STARTS + EXPECTED_LENGTH))
    query = (
        _planned()
        .add_columns(Server)
        .where(Server.inst_id.in_({one.inst_id for one in named}), near)
    )
    excluded = list(own)
    if excluded:
        query = query.where(Task.task_id.not_in(excluded))
    rows = session.execute(query.order_by(_STARTS, Task.task_id).limit(_MOST)).all()
    each = {here.server_id: _conflicts(here, rows) for here in named} if rows else {}
    return {server: found for server, found in each.items() if found}


def _conflicts(here: Server, rows: Sequence[Row[*tuple[Any, ...]]]) -> tuple[ChangeConflict, ...]:
    related = ((row, relation_of(here, row.Server)) for row in rows if row.inst_id == here.inst_id)
    found = [ChangeConflict(_change(row), relation) for row, relation in related if relation]
    found.sort(key=lambda one: one.relation != "same")
    return tuple(found[:_MOST_SHOWN])


def relation_of(here: Server, other: Server) -> Relation | None:
    """Return how two servers depend on each other, or `None`."""
    if here.server_id == other.server_id:
        return "same"
    if other.server_id in _bastions(here) or here.server_id in _bastions(other):
        return "bastion"
    if {*here.groups} & {*other.groups}:
        return "group"
    return "service" if _service_names(here) & _service_names(other) else None


def _bastions(server: Server) -> Sequence[str]:
    return server.login.get("bastions") or ()


def _service_names(server: Server) -> set[str]:
    return {str(one.get("name")) for one in server.services}


def _planned() -> Select[Task, str, str]:
    return (
        select(Task, Issue.title, Server.inst_id)
        .join(Issue, Issue.sr_id == Task.sr_id)
        .join(Server, Server.server_id == Task.target_server)
        .where(Task.status.in_(_STATES), Task.plan_hash.is_not(None))
    )


def _at(query: Select[Task, str, str], institution: str, server: str) -> Select[Task, str, str]:
    if institution:
        query = query.where(Server.inst_id == institution)
    return query.where(Task.target_server == server) if server else query


def _read(session: Session, query: Select[Task, str, str]) -> list[PlannedChange]:
    return [_change(row) for row in session.execute(query.limit(_MOST))]


def _change(row: Row[*tuple[Any, ...]]) -> PlannedChange:
    task: Task = row.Task
    wanted = (task.plan or {}).get("not_before")
    return PlannedChange(
        task.sr_id,
        task.task_id,
        row.title,
        task.target_server or "",
        row.inst_id,
        task.category or "",
        State(task.status),
        task.run_after or (datetime.fromisoformat(wanted) if wanted else None),
    )
