"""The list of issues as GitHub filters and sorts it, at the same cost on every page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Comment, Issue
from guardia.board.github_api.paging import MOST, PageRequest
from guardia.board.issues.model import IssueLabel, Label
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import matching_form

Condition = ColumnElement[bool]
_OPEN = sorted(state.value for state in OPEN_STATES)
_ME = frozenset({"@me"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class IssueListFilter:
    """Filter and order of GitHub's list of issues."""

    state: str = "open"
    labels: tuple[str, ...] = ()
    assignee: str = ""
    creator: str = ""
    mentioned: str = ""
    milestone: str = ""
    since: datetime | None = None
    sort: str = "created"
    direction: str = "desc"


@dataclass(frozen=True, slots=True)
class FoundIssues:
    """One page of issues."""

    rows: Sequence[Issue]
    has_more: bool
    total: int | None
    """How many there are; `None` if they are too many to count."""
    cursor: str


def conditions(wanted: IssueListFilter, viewer: PersonInfo) -> Iterator[Condition]:
    """Yield the conditions of a filter."""
    if wanted.state != "all":
        is_open = Issue.status.in_(_OPEN)
        yield is_open if wanted.state == "open" else ~is_open
    for name in wanted.labels:
        yield has_label(name)
    if wanted.assignee:
        yield _person(Issue.assignee_id.expression, wanted.assignee, viewer)
    if wanted.creator:
        yield _person(Issue.requester_id.expression, wanted.creator, viewer)
    if wanted.mentioned:
        yield _mentions(viewer.id if wanted.mentioned in _ME else wanted.mentioned)
    if wanted.milestone not in {"", "none"}:
        yield false()
    if wanted.since is not None:
        yield Issue.updated_at >= wanted.since


def has_label(name: str) -> Condition:
    """Return the condition for issues with a label."""
    query = select(IssueLabel.sr_id).join(Label, Label.label_id == IssueLabel.label_id)
    return Issue.sr_id.in_(query.where(Label.match_key == matching_form(name)))


def _person(column: ColumnElement[str | None], login: str, viewer: PersonInfo) -> Condition:
    if login == "none":
        return column.is_(None)
    if login == "*":
        return column.is_not(None)
    if login in _ME:
        return column == viewer.id
    named = select(Person.person_id).where(func.lower(Person.person_id) == login.lower())
    return column.in_(named)


def _mentions(login: str) -> Condition:
    text = f"@{login}"
    in_comment = select(Comment.sr_id).where(Comment.body.icontains(text, autoescape=True))
    return or_(Issue.body.icontains(text, autoescape=True), Issue.sr_id.in_(in_comment))


def find(
    session: Session, query: Select[Issue], wanted: IssueListFilter, page: PageRequest
) -> FoundIssues:
    """Return one page of a query of issues in the requested order."""
    total = count(session, query)
    keys = _keys(wanted.sort)
    is_descending = wanted.direction == "desc"
    after = _read_cursor(wanted.sort, page.after)
    ordered = query.order_by(*(key.desc() if is_descending else key for key in keys))
    if after is None:
        page.require_reachable()
        ordered = ordered.offset(page.offset)
    else:
        place, others = tuple_(*after), tuple_(*keys)
        ordered = ordered.where(others < place if is_descending else others > place)
    rows = session.scalars(ordered.limit(page.size + 1)).all()
    kept = rows[: page.size]
    cursor = _cursor(wanted.sort, kept[-1]) if kept else ""
    return FoundIssues(kept, len(rows) > page.size, total, cursor)


def count(session: Session, query: Select[Issue], most: int = MOST) -> int | None:
    """Return how many issues a query finds, or `None` for more than `most`."""
    numbers = query.with_only_columns(Issue.sr_id).limit(most + 1).subquery()
    found = session.scalar(select(func.count()).select_from(numbers)) or 0
    return found if found <= most else None


def _keys(sort: str) -> list[ColumnElement[Any]]:
    number: ColumnElement[Any] = Issue.sr_id.expression
    if sort == "updated":
        return [Issue.updated_at.expression, number]
    if sort == "comments":
        comments = select(func.count()).where(Comment.sr_id == Issue.sr_id)
        return [comments.correlate(Issue).scalar_subquery(), number]
    return [number]


def _cursor(sort: str, row: Issue) -> str:
    if sort == "updated":
        return f"{(row.updated_at - _EPOCH) // _MICROSECOND}-{row.sr_id}"
    return "" if sort == "comments" else str(row.sr_id)


def _read_cursor(sort: str, text: str) -> tuple[object, ...] | None:
    parts = text.split("-")
    if not all(part.isdecimal() and part.isascii() and len(part) < 19 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if sort == "updated" and len(numbers) == 2 and numbers[0] < 10**17:
        return (_EPOCH + numbers[0] * _MICROSECOND, numbers[1])
    return (numbers[0],) if sort == "created" and len(numbers) == 1 else None
