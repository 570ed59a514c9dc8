"""The list of issues: filtered, sorted, one page at a time, with bounded counts.

Every query reads one snapshot and returns only what the viewer may see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from guardia.board.audit.log import snapshot_size
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.board.tracker import issue_search, issue_sort
from guardia.board.tracker.filter_terms import FilterProblem
from guardia.board.tracker.issue_filters import IssueFilter, read_filter
from guardia.board.tracker.issue_sort import Sort
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person

OPEN = sorted(s.value for s in OPEN_STATES)
States = Literal["", "open", "closed", "all"]
COUNTED = 10_000
"""Most issues that are counted; more are shown as "10,000+"."""
_SCANNED = 2_000
"""Issues whose texts are compared to count those that contain a word."""
_DENSE = 0.05
"""Share of issues with a word from which counting all of them would take too long."""


@dataclass(frozen=True, slots=True)
class IssueQuery:
    """Filter and page of the list; at most one of `before` and `after` is used."""

    state: States = ""
    """Empty: as the words say, and open issues if they do not."""
    words: str = ""
    before: str | int | None = None
    """Cursor of the last row before this page."""
    after: str | int | None = None
    """Cursor of the first row behind this page."""
    size: int = 25


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
    due_on: date | None = None
    requester: str | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssueList:
    """One page of the list."""

    rows: tuple[IssueRow, ...]
    newer: str | None
    """Cursor for `after`; `None` on the first page."""
    older: str | None
    """Cursor for `before`; `None` on the last page."""
    position: int
    """Length of the audit log at this snapshot, up to which the page is current."""
    problems: tuple[FilterProblem, ...] = ()
    """Terms of the filter that mean nothing; without any, the rows are what was asked for."""
    sort: Sort = issue_sort.NEWEST
    state: States = "open"
    """The state that was applied beside the words."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of one page, each with the value that it is sorted by."""

    rows: tuple[tuple[int, Any], ...]
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """A number of issues that may be only a lower bound."""

    number: int
    is_exact: bool = True

    def __str__(self) -> str:
        """Return it for people, as "10,000+"."""
        return f"{self.number:,}" + ("" if self.is_exact else "+")


def list_issues(board: BoardContext, viewer: PersonInfo, query: IssueQuery) -> IssueList:
    """Return one page of issues, the newest first unless the filter sorts."""
    now = board.clock()
    with board.database.reading() as session:
        found = read_filter(session, viewer, query.words, now)
        position, state = snapshot_size(session), state_of(query, found)
        if found.problems:
            return IssueList((), None, None, position, found.problems, found.sort, state)
        page = _read_numbers(session, viewer, query, found)
        rows = read_rows(session, [number for number, _ in page.rows])
        return IssueList(
            rows, page.newer, page.older, position=position, sort=found.sort, state=state
        )


def state_of(query: IssueQuery, found: IssueFilter) -> States:
    """Return the state that is applied beside the words of a filter."""
    return query.state or ("all" if found.names_state else "open")


def matching(
    session: Session, viewer: PersonInfo, query: IssueQuery, found: IssueFilter
) -> list[ColumnElement[bool]]:
    """Return all conditions of a list that can be decided row by row, except searched words."""
    conditions = [visible_to(viewer), *found.conditions]
    state = state_of(query, found)
    if state != "all":
        is_open = Issue.status.in_(OPEN)
        conditions.append(is_open if state == "open" else Issue.status.not_in(OPEN))
    excluded = issue_search.read_words(session, found.excluded_texts)
    return conditions + [issue_search.lacks(word) for word in excluded]


def _read_numbers(
    session: Session, viewer: PersonInfo, query: IssueQuery, found: IssueFilter
) -> _Numbers:
    """Return the numbers of the issues of one page, each with the value that it is sorted by."""
    sort, backward = found.sort, query.after is not None
    cursor = query.after if backward else query.before
    place = issue_sort.read_cursor(sort, str(cursor)) if cursor is not None else None
    conditions = matching(session, viewer, query, found)
    listed = select(Issue.sr_id, issue_sort.cursor_value(sort).label("value")).where(*conditions)
    if place is not None:
        listed = listed.where(issue_sort.beyond(sort, place, backward=backward))
    words = issue_search.read_words(session, found.texts)
    rows = _search(session, listed, sort, words, query.size + 1, backward=backward)
    if backward and len(rows) <= query.size:
        # Nothing is before this page, so it is the first one: show a whole one.
        return _read_numbers(session, viewer, replace(query, before=None, after=None), found)
    return _cut(rows, query.size, sort, backward=backward, first=place is None)


def _search(
    session: Session,
    listed: Select[int, str],
    sort: Sort,
    words: list[issue_search.Word],
    size: int,
    *,
    backward: bool,
) -> list[tuple[int, Any]]:
    """Return the first rows of a list that contain all words."""

    def read(query: Select[int, str]) -> list[tuple[int, Any]]:
        return [(row[0], row[1]) for row in session.execute(query)]

    in_order = issue_sort.ordered(listed, sort, backward=backward)
    if not words:
        return read(in_order.limit(size))
    window = in_order.with_only_columns(Issue.sr_id).limit(issue_search.WINDOW).cte("seen")
    seen = Issue.sr_id.in_(select(window.prefix_with("MATERIALIZED").c.sr_id))
    near = select(Issue.sr_id, issue_sort.cursor_value(sort).label("value"))
    near = near.where(seen, *map(issue_search.contains, words))
    rows = read(issue_sort.ordered(near, sort, backward=backward).limit(size))
    if len(rows) < size:
        rows = read(in_order.where(issue_search.among_indexed(words)).limit(size))
    return rows


def _cut(
    found: list[tuple[int, Any]], size: int, sort: Sort, *, backward: bool, first: bool
) -> _Numbers:
    """Return the page of rows read with one extra row, which shows that more follow."""
    more, rows = len(found) > size, found[:size]
    rows = rows[::-1] if backward else rows
    if not rows:
        return _Numbers((), None, None)
    newer = issue_sort.cursor_of(sort, *rows[0])
    older = issue_sort.cursor_of(sort, *rows[-1])
    return _Numbers(tuple(rows), None if first else newer, older if more or backward else None)


def read_rows(session: Session, numbers: list[int]) -> tuple[IssueRow, ...]:
    """Return the rows of issues in the given order."""
    if not numbers:
        return ()
    found = session.execute(_row_query().where(Issue.sr_id.in_(numbers)))
    rows = {row.sr_id: _row(row) for row in found}
    return tuple(rows[number] for number in numbers)


def read_visible_rows(
    session: Session, viewer: PersonInfo, numbers: list[int]
) -> tuple[IssueRow, ...]:
    """Return the rows of those issues that a person may see, in the given order."""
    query = select(Issue.sr_id).where(Issue.sr_id.in_(numbers), visible_to(viewer))
    visible = set(session.scalars(query))
    return read_rows(session, [number for number in numbers if number in visible])


def count_issues(
    session: Session, viewer: PersonInfo, query: IssueQuery, now: datetime, most: int = COUNTED
) -> Count | None:
    """Return how many issues a filter finds, or `None` if it has problems."""
    found = read_filter(session, viewer, query.words, now)
    if found.problems:
        return None
    listed = select(Issue.sr_id).where(*matching(session, viewer, query, found))
    words = issue_search.read_words(session, found.texts)
    if words:
        near = _count_among_newest(session, listed, words)
        if near is not None:
            return near
        listed = listed.where(issue_search.among_indexed(words))
    number = session.scalar(select(func.count()).select_from(listed.limit(most + 1).subquery()))
    return Count(min(number or 0, most), (number or 0) <= most)


def _count_among_newest(
    session: Session, listed: Select[Any], words: list[issue_search.Word]
) -> Count | None:
    """Count issues that contain all words among the newest; `None` if too few are there."""
    newest = listed.order_by(Issue.sr_id.desc()).limit(_SCANNED).cte("seen")
    newest = newest.prefix_with("MATERIALIZED")
    seen = select(func.count()).select_from(newest).scalar_subquery()
    query = select(func.count(), seen).where(
        Issue.sr_id.in_(select(newest.c.sr_id)), *map(issue_search.contains, words)
    )
    number, total = session.execute(query).one()
    if total < _SCANNED:
        return Count(number)
    return Count(number, is_exact=False) if number >= _DENSE * total else None


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
            Issue.due_on,
            Issue.requester_name.label("requester"),
            Issue.closed_at,
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
