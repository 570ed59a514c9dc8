"""The list of issues, filtered by state and search words, one page at a time.

Every query reads one snapshot and returns only what the viewer may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from guardia.board.audit.log import snapshot_size
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.board.tracker import issue_filters
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person

_OPEN = sorted(s.value for s in OPEN_STATES)


@dataclass(frozen=True, slots=True)
class IssueQuery(Keyset):
    """Filter and page of the list."""

    state: Literal["open", "closed", "all"] = "open"
    words: str = ""


@dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue in the list."""

    sr_id: int
    title: str
    status: State
    category: str | None
    priority: str | None
    institution: str | None
    servers: tuple[str, ...]
    agent: str | None
    engineer: str | None
    created_at: datetime
    updated_at: datetime
    stalled_at: datetime | None = None
    """When its agents were stopped because of a wake loop."""
    kind: str | None = None
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class IssueList(Slice[IssueRow]):
    """One page of the list."""

    position: int
    """Length of the audit log at this snapshot, up to which the page is current."""


def list_issues(board: BoardContext, viewer: PersonInfo, query: IssueQuery) -> IssueList:
    """Return one page of issues, newest first."""
    with board.database.reading() as session:
        found = _row_query().where(visible_to(viewer), *_filters(query, viewer))
        page = read_slice(session, found, Issue.sr_id, query, key=lambda row: int(row.sr_id))
        return IssueList(
            tuple(_row(row) for row in page.rows),
            page.newer,
            page.older,
            position=snapshot_size(session),
        )


def _servers() -> ScalarSelect[Any]:
    names = func.array_agg(aggregate_order_by(Task.target_server, Task.task_id))
    query = select(names).where(Task.sr_id == Issue.sr_id, Task.target_server.is_not(None))
    return query.correlate(Issue).scalar_subquery()


def _row_query() -> Select[Any]:
    return (
        select(
            Issue.sr_id,
            Issue.title,
            Issue.status,
            Issue.category,
            Issue.priority,
            func.coalesce(Institution.inst_name, Issue.inst_id).label("institution"),
            _servers().label("servers"),
            func.coalesce(Agent.title, Issue.agent_id).label("agent"),
            (Person.name + " " + Person.title).label("engineer"),
            Issue.created_at,
            Issue.updated_at,
            Issue.stalled_at,
            Issue.kind,
            Issue.parent_id.label("parent"),
        )
        .outerjoin(Institution, Institution.inst_id == Issue.inst_id)
        .outerjoin(Agent, Agent.agent_id == Issue.agent_id)
        .outerjoin(Person, Person.person_id == Issue.assignee_id)
    )


def _row(found: Any) -> IssueRow:
    fields = found._asdict()
    fields["status"] = State(fields["status"])
    fields["servers"] = tuple(dict.fromkeys(fields["servers"] or ()))
    return IssueRow(**fields)


def _filters(query: IssueQuery, viewer: PersonInfo) -> list[ColumnElement[bool]]:
    conditions = list(issue_filters.conditions(query.words, viewer))
    if query.state != "all":
        is_open = Issue.status.in_(_OPEN)
        conditions.append(is_open if query.state == "open" else ~is_open)
    return conditions
