"""The filter of the issue list: what each term demands of an issue.

Every condition is one that an index answers or that is decided from the row itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, select, true
from sqlalchemy.orm import Session, aliased

from guardia.board.core.actors import Actor
from guardia.board.core.issue_ref import parse_issue_ref
from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Comment, Issue, Mention, Task
from guardia.board.tracker import figure_words, issue_sort
from guardia.board.tracker.filter_dates import Period, read_period
from guardia.board.tracker.filter_terms import FilterProblem, Term, parse
from guardia.board.tracker.filter_values import read_value
from guardia.board.tracker.issue_sort import Sort
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Institution, Person, Server
from guardia.text import fold

Condition = ColumnElement[bool]
_OPEN = sorted(state.value for state in OPEN_STATES)
_NONE = frozenset({"none", "없음"})
_ME = frozenset({"me", "@me", "나"})
_STATE_VALUES = frozenset({"open", "closed", "issue"})


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """A filter that was read: conditions, searched words, sorting, and what could not be read."""

    conditions: tuple[Condition, ...] = ()
    texts: tuple[str, ...] = ()
    excluded_texts: tuple[str, ...] = ()
    sort: Sort = issue_sort.NEWEST
    names_state: bool = False
    """Whether it says itself whether open or closed issues are meant."""
    problems: tuple[FilterProblem, ...] = ()


class _Unknown(Exception):
    """A value that means nothing; `name` is the problem's text."""

    def __init__(self, name: str, value: str, **words: str) -> None:
        super().__init__(name)
        self.name, self.value, self.words = name, value, words


@dataclass(frozen=True, slots=True)
class _Reader:
    """What values are read against."""

    session: Session
    viewer: PersonInfo
    now: datetime

    @property
    def today(self) -> date:
        """The day in Seoul."""
        return self.now.astimezone(SEOUL).date()

    @property
    def is_staff(self) -> bool:
        """Whether the viewer may learn which people and servers exist."""
        return self.viewer.role != "customer"


def read_filter(session: Session, viewer: PersonInfo, words: str, now: datetime) -> IssueFilter:
    """Return what a filter demands. Terms that mean nothing are among its problems."""
    terms, problems = parse(words)
    reader = _Reader(session, viewer, now)
    conditions: list[Condition] = []
    sort = issue_sort.NEWEST
    for term in terms:
        if not term.key:
            continue
        try:
            if term.key == "sort":
                sort = issue_sort.parse_sort(_fixed("sort", term.values[-1]))
            else:
                conditions.append(_condition(reader, term))
        except _Unknown as error:
            details = {"key": term.key, "value": error.value, **error.words}
            problems.append(FilterProblem(term.written, error.name, details))
    texts = [term for term in terms if not term.key]
    return IssueFilter(
        tuple(conditions),
        tuple(term.text for term in texts if not term.negated),
        tuple(term.text for term in texts if term.negated),
        sort,
        any(map(_names_state, terms)),
        tuple(problems),
    )


def _names_state(term: Term) -> bool:
    if term.key == "is":
        return any(read_value("is", value) in _STATE_VALUES for value in term.values)
    return term.key in ("status", "closed")


def _condition(reader: _Reader, term: Term) -> Condition:
    find = _FINDERS[term.key]
    found = or_(false(), *(find(reader, value) for value in term.values))
    # Where a value is missing, a comparison is neither true nor false.
    return not_(func.coalesce(found, false())) if term.negated else found


def _fixed(key: str, value: str) -> str:
    """Return a value of a fixed list. Raises `_Unknown` with the list for any other one."""
    from guardia.board.tracker.filter_values import fixed_values

    found = read_value(key, value)
    if found is None:
        raise _Unknown("choice", value, choices=", ".join(fixed_values(key)))
    return found


# --- Finders: a condition for a value of a key ---------------------------------------------------


def _is(reader: _Reader, value: str) -> Condition:
    child = aliased(Issue)
    found: dict[str, Condition] = {
        "open": Issue.status.in_(_OPEN),
        "closed": Issue.status.not_in(_OPEN),
        "issue": true(),
        "unassigned": _owner() == "",
        "stalled": Issue.stalled_at.is_not(None),
        "overdue": and_(issue_sort.EXPRESSIONS["due"] < reader.today, Issue.status.in_(_OPEN)),
        "goal": Issue.kind == "GOAL",
        "child": Issue.parent_id.is_not(None),
        "parent": exists().where(child.parent_id == Issue.sr_id),
    }
    return found[_fixed("is", value)]


def _owner() -> ColumnElement[str]:
    found: ColumnElement[str] = issue_sort.EXPRESSIONS["assignee"]
    return found


def _status(_reader: _Reader, value: str) -> Condition:
    return Issue.status == _fixed("status", value).upper()


def _people(reader: _Reader, value: str) -> list[str]:
    """Return the ids of the people whom a value names."""
    if value.lower() in _ME:
        return [reader.viewer.id]
    name = fold(value).removeprefix("@")
    query = select(Person.person_id).where(or_(Person.person_id == name, Person.name == name))
    found = list(reader.session.scalars(query.limit(50)))
    if not found and reader.is_staff:
        raise _Unknown("person", value)
    return found


def _assignee(reader: _Reader, value: str) -> Condition:
    if value.lower() in _NONE:
        return _owner() == ""
    agents = select(Agent.agent_id).where(or_(Agent.agent_id == value, Agent.title == value))
    if reader.is_staff and (agent := reader.session.scalar(agents.limit(1))):
        return Issue.agent_id == agent
    return _owner().in_(_people(reader, value))


def _author(reader: _Reader, value: str) -> Condition:
    if value.lower() in _NONE:
        return Issue.requester_id.is_(None)
    return Issue.requester_id.in_(_people(reader, value))


def _mentions(reader: _Reader, value: str) -> Condition:
    return Issue.sr_id.in_(
        select(Mention.sr_id).where(Mention.person_id.in_(_people(reader, value)))
    )


def _commenter(reader: _Reader, value: str) -> Condition:
    authors = [str(Actor.person(person)) for person in _people(reader, value)]
    return Issue.sr_id.in_(select(Comment.sr_id).where(Comment.author.in_(authors)))


def _involves(reader: _Reader, value: str) -> Condition:
    people = _people(reader, value)
    authors = [str(Actor.person(person)) for person in people]
    # One set of numbers, so that the indexes of all four are used.
    wanted = (
        select(Issue.sr_id)
        .where(_owner().in_(people))
        .union(
            select(Issue.sr_id).where(Issue.requester_id.in_(people)),
            select(Mention.sr_id).where(Mention.person_id.in_(people)),
            select(Comment.sr_id).where(Comment.author.in_(authors)),
        )
    )
    return Issue.sr_id.in_(wanted)


def _institution(reader: _Reader, value: str) -> Condition:
    name = fold(value)
    query = select(Institution.inst_id).where(
        or_(
            Institution.inst_id == name.upper(),
            Institution.inst_id == name,
            Institution.inst_name.icontains(name, autoescape=True),
        )
    )
    found = list(reader.session.scalars(query.limit(1000)))
    if not found and reader.is_staff:
        raise _Unknown("institution", value)
    place: Condition = issue_sort.EXPRESSIONS["institution"].in_(found)
    return place


def _server(reader: _Reader, value: str) -> Condition:
    name = fold(value)
    known = select(Server.server_id).where(Server.server_id.in_((name, name.upper())))
    used = select(Task.task_id).where(Task.target_server == name.upper()).limit(1)
    if reader.is_staff and not (reader.session.scalar(known) or reader.session.scalar(used)):
        raise _Unknown("server", value)
    on_server = select(Task.sr_id).where(Task.target_server.in_((name, name.upper())))
    return Issue.sr_id.in_(on_server)


def _named(key: str) -> Callable[[_Reader, str], Condition]:
    """Return the finder of a key whose values are a fixed list."""
    expression = issue_sort.EXPRESSIONS.get(key, Issue.kind)

    def find(_reader: _Reader, value: str) -> Condition:
        found: Condition = expression == _fixed(key, value)
        return found

    return find


def _agent(reader: _Reader, value: str) -> Condition:
    query = select(Agent.agent_id).where(or_(Agent.agent_id == value, Agent.title == fold(value)))
    found = list(reader.session.scalars(query.limit(50)))
    if not found and reader.is_staff:
        raise _Unknown("agent", value)
    return Issue.agent_id.in_(found)


def _related(column: ColumnElement[int | None]) -> Callable[[_Reader, str], Condition]:
    def find(_reader: _Reader, value: str) -> Condition:
        number = parse_issue_ref(value)
        if number is None:
            raise _Unknown("number", value)
        return column == number

    return find


def _period(reader: _Reader, value: str) -> Period:
    try:
        return read_period(fold(value), reader.today)
    except (ValueError, OverflowError) as error:
        raise _Unknown("date", value) from error


def _moment(column: ColumnElement[Any]) -> Callable[[_Reader, str], Condition]:
    def find(reader: _Reader, value: str) -> Condition:
        period = _period(reader, value)
        bounds = [column >= period.start] if period.start else []
        return and_(true(), *bounds, *([column < period.end] if period.end else []))

    return find


def _due(reader: _Reader, value: str) -> Condition:
    period, due = _period(reader, value), issue_sort.EXPRESSIONS["due"]
    bounds: list[Condition] = [Issue.due_on.is_not(None)]
    if period.start:
        bounds.append(due >= period.start.astimezone(SEOUL).date())
    if period.end:
        bounds.append(due < period.end.astimezone(SEOUL).date())
    return and_(*bounds)


def _has(_reader: _Reader, value: str) -> Condition:
    return not_(_lacks(_fixed("has", value)))


def _no(_reader: _Reader, value: str) -> Condition:
    return _lacks(_fixed("no", value))


def _lacks(name: str) -> Condition:
    task = select(Task.task_id).where(Task.sr_id == Issue.sr_id, Task.target_server.is_not(None))
    found: dict[str, Condition] = {
        "assignee": _owner() == "",
        "priority": Issue.priority.is_(None),
        "category": issue_sort.EXPRESSIONS["category"] == "",
        "kind": Issue.kind.is_(None),
        "institution": issue_sort.EXPRESSIONS["institution"] == "",
        "server": ~task.exists(),
        "agent": Issue.agent_id.is_(None),
        "due": Issue.due_on.is_(None),
        "author": Issue.requester_id.is_(None),
        "parent": Issue.parent_id.is_(None),
        "goal": Issue.goal_id.is_(None),
    }
    return found[name]


_FINDERS: MappingProxyType[str, Callable[[_Reader, str], Condition]] = MappingProxyType(
    {
        "is": _is,
        "status": _status,
        "assignee": _assignee,
        "author": _author,
        "mentions": _mentions,
        "commenter": _commenter,
        "involves": _involves,
        "institution": _institution,
        "server": _server,
        "priority": _named("priority"),
        "category": _named("category"),
        "kind": _named("kind"),
        "agent": _agent,
        "parent": _related(Issue.parent_id.expression),
        "goal": _related(Issue.goal_id.expression),
        "no": _no,
        "has": _has,
        "created": _moment(Issue.created_at.expression),
        "updated": _moment(Issue.updated_at.expression),
        "closed": _moment(Issue.closed_at.expression),
        "due": _due,
        "task": lambda _reader, value: figure_words.task(value),
        "urgent": lambda _reader, value: figure_words.urgent(value),
    }
)
