"""The list of issues, filtered by state and search words, one page at a time.

Every query reads one snapshot and returns only what the viewer may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from guardia.board.audit.log import snapshot_size
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import parse_issue_ref
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person
from guardia.text import fold, is_blank

_RELATIONS = {"parent": Issue.parent_id, "goal": Issue.goal_id}
"""`parent:12` finds the children of issue 12; `goal:12` finds all issues of goal 12."""
_MAX_WORDS = 6
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
        found = _row_query().where(visible_to(viewer), *_filters(query))
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


def _filters(query: IssueQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.state != "all":
        is_open = Issue.status.in_(_OPEN)
        conditions.append(is_open if query.state == "open" else ~is_open)
    words = (word for word in query.words.split() if not is_blank(word))
    for word in islice(words, _MAX_WORDS):
        conditions.append(_word_condition(word))
    return conditions


def _word_condition(word: str) -> ColumnElement[bool]:
    kind, _, ref = word.partition(":")
    column, number = _RELATIONS.get(kind.lower()), parse_issue_ref(ref)
    return _contains(word) if column is None or number is None else column == number


def _contains(word: str) -> ColumnElement[bool]:
    on_server = select(Task.task_id).where(
        Task.sr_id == Issue.sr_id, Task.target_server.icontains(fold(word), autoescape=True)
    )
    # What is stored keeps the form in which it was written.
    matches = [
        *(
            column.icontains(form, autoescape=True)
            for column in (Issue.title, Issue.body, Institution.inst_name, Person.name)
            for form in dict.fromkeys((word, fold(word)))
            if form
        ),
        on_server.exists(),
    ]
    number = parse_issue_ref(word)
    return or_(*matches) if number is None else or_(*matches, Issue.sr_id == number)
