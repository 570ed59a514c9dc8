"""The list of issues by keyset, limited to what the viewer may see."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from guardia.board.audit.chain import clean
from guardia.board.audit.log import snapshot_size
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person

_NUMBER = re.compile(r"(?:SR-|#)?(\d{1,18})", re.IGNORECASE)
_RELATION = re.compile(r"(parent|goal):(?:SR-|#)?(\d{1,18})", re.IGNORECASE)
"""``parent:12``: its children; ``goal:12``: all that serves the goal."""
_MAX_WORDS = 6
_OPEN = sorted(s.value for s in OPEN_STATES)


@dataclass(frozen=True, slots=True)
class IssueQuery:
    """Which issues; at most one of ``before`` and ``after`` is used."""

    state: Literal["open", "closed", "all"] = "open"
    words: str = ""
    before: int | None = None
    """Only issues older than this number."""
    after: int | None = None
    """Only issues newer than this number."""
    size: int = 25


@dataclass(frozen=True, slots=True)
class IssueRow:
    """One issue in a list."""

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
    """Since when its agents go round in circles."""
    kind: str | None = None
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class IssueList:
    """One page of the list."""

    rows: tuple[IssueRow, ...]
    newer: int | None
    """Cursor for ``after``; ``None`` on the newest page."""
    older: int | None
    """Cursor for ``before``; ``None`` on the oldest page."""
    position: int
    """Length of the record at this snapshot: what the page has seen of what happened."""


def list_issues(board: BoardContext, viewer: PersonInfo, query: IssueQuery) -> IssueList:
    """Return one page of issues, newest first."""
    with board.database.reading() as session:
        return IssueList(*_page(session, viewer, query), position=snapshot_size(session))


def _page(
    session: Session, viewer: PersonInfo, query: IssueQuery
) -> tuple[tuple[IssueRow, ...], int | None, int | None]:
    found = _row_query().where(visible_to(viewer), *_filters(query))
    if query.after is not None:
        found = found.where(Issue.sr_id > query.after).order_by(Issue.sr_id)
    else:
        found = found.order_by(Issue.sr_id.desc())
        if query.before is not None:
            found = found.where(Issue.sr_id < query.before)
    rows = [_row(r) for r in session.execute(found.limit(query.size + 1))]
    more, rows = len(rows) > query.size, rows[: query.size]
    if query.after is None:
        newer = rows[0].sr_id if query.before is not None and rows else None
        return tuple(rows), newer, rows[-1].sr_id if more else None
    if not more:
        # Nothing newer remains, so this is the first page: show a whole one.
        return _page(session, viewer, replace(query, after=None, before=None))
    rows.reverse()
    return tuple(rows), rows[0].sr_id, rows[-1].sr_id


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


def _filters(query: IssueQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.state != "all":
        is_open = Issue.status.in_(_OPEN)
        conditions.append(is_open if query.state == "open" else ~is_open)
    for word in clean(query.words).split()[:_MAX_WORDS]:
        relation = _RELATION.fullmatch(word)
        conditions.append(_has_relation(relation) if relation else _matches(word))
    return conditions


def _has_relation(relation: re.Match[str]) -> ColumnElement[bool]:
    column = Issue.parent_id if relation[1].lower() == "parent" else Issue.goal_id
    return column == int(relation[2])


def _matches(word: str) -> ColumnElement[bool]:
    on_server = select(Task.task_id).where(
        Task.sr_id == Issue.sr_id, Task.target_server.icontains(word, autoescape=True)
    )
    ways = [
        *(
            column.icontains(word, autoescape=True)
            for column in (Issue.title, Issue.body, Institution.inst_name, Person.name)
        ),
        on_server.exists(),
    ]
    number = _NUMBER.fullmatch(word)
    return or_(*ways, Issue.sr_id == int(number[1])) if number else or_(*ways)
