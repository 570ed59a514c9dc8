"""Search words of the issue list: plain words, numbers, and qualifiers such as `status:manual`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from sqlalchemy import ColumnElement, false, or_, select

from guardia.board.core.issue_ref import parse_issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.tracker import figure_words
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Person
from guardia.text import fold, is_blank

_MOST_WORDS = 8
_ME, _NOBODY = "me", "none"
Condition = ColumnElement[bool]


def conditions(words: str, viewer: PersonInfo) -> Iterator[Condition]:
    """Yield a condition for each search word; all of them must hold.

    A qualifier that is not known is a plain word.
    """
    for word in islice((w for w in words.split() if not is_blank(w)), _MOST_WORDS):
        name, _, value = word.partition(":")
        find = _QUALIFIERS.get(name.lower()) if value else None
        yield find(value, viewer) if find else _contains(word)


def _status(value: str, _viewer: PersonInfo) -> Condition:
    name = value.upper().replace("-", "_")
    return Issue.status == name if name in State.__members__ else false()


def _person(column: ColumnElement[str | None]) -> Callable[[str, PersonInfo], Condition]:
    def find(value: str, viewer: PersonInfo) -> Condition:
        if value.lower() == _NOBODY:
            return column.is_(None)
        named = select(Person.person_id).where(Person.name == fold(value))
        given = viewer.id if value.lower() == _ME else value
        return or_(column == given, column.in_(named))

    return find


def _institution(value: str, _viewer: PersonInfo) -> Condition:
    named = select(Institution.inst_id).where(
        Institution.inst_name.icontains(fold(value), autoescape=True)
    )
    return or_(Issue.inst_id == value.upper(), Issue.inst_id.in_(named))


def _server(value: str, _viewer: PersonInfo) -> Condition:
    on_server = select(Task.task_id).where(
        Task.sr_id == Issue.sr_id, Task.target_server == value.upper()
    )
    return on_server.exists()


def _equals(column: ColumnElement[str | None]) -> Callable[[str, PersonInfo], Condition]:
    return lambda value, _viewer: column == value.upper()


def _related(column: ColumnElement[int | None]) -> Callable[[str, PersonInfo], Condition]:
    def find(value: str, _viewer: PersonInfo) -> Condition:
        number = parse_issue_ref(value)
        return false() if number is None else column == number

    return find


_QUALIFIERS: dict[str, Callable[[str, PersonInfo], Condition]] = {
    "status": _status,
    "assignee": _person(Issue.assignee_id.expression),
    "requester": _person(Issue.requester_id.expression),
    "institution": _institution,
    "server": _server,
    "priority": _equals(Issue.priority.expression),
    "category": _equals(Issue.category.expression),
    "kind": _equals(Issue.kind.expression),
    "agent": lambda value, _viewer: Issue.agent_id == value,
    "parent": _related(Issue.parent_id.expression),
    "goal": _related(Issue.goal_id.expression),
    **figure_words.WORDS,
}


def _contains(word: str) -> Condition:
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
