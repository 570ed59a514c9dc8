"""Search words that name the issues behind a figure of the dashboard.

`created:>=2026-11-01` and `ended:2026-11-02` are days in Seoul. `task:` holds for issues that have
one task with all of its terms: `task:completed,agent,since=2026-11-01,server=MOF-WAS-01`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, false, func, select
from sqlalchemy.orm import InstrumentedAttribute

from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.org.directory import PersonInfo

Condition = ColumnElement[bool]
Word = Callable[[str, PersonInfo], Condition]
_OPEN = sorted(state.value for state in OPEN_STATES)
_DAY = timedelta(days=1)
_MOST_TERMS = 8


def _midnight(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), SEOUL)
    except ValueError:
        return None


def _within(
    column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
) -> Word:
    """Return the word for a moment: on a day, `>=` a day, or `day..day`."""

    def find(value: str, _viewer: PersonInfo) -> Condition:
        first, joined, last = value.removeprefix(">=").partition("..")
        begin, end = _midnight(first), _midnight(last if joined else first)
        if begin is None or end is None:
            return false()
        if value.startswith(">="):
            return column >= begin
        return and_(column >= begin, column < end + _DAY)

    return find


def _task_since(column: InstrumentedAttribute[datetime], text: str) -> Condition:
    begin = _midnight(text)
    return false() if begin is None else column >= begin


_TERMS: dict[str, Callable[[str], Condition]] = {
    "agent": lambda value: Task.agent_id == value if value else Task.agent_id.is_not(None),
    "alone": lambda _value: and_(
        Task.status == State.COMPLETED.value, Task.agent_id.is_not(None), Task.by_person.is_(False)
    ),
    "ended": lambda value: _task_since(Task.updated_at, value),
    "hour": lambda value: (
        func.to_char(func.timezone("Asia/Seoul", Task.created_at), "HH24") == value
    ),
    "open": lambda _value: Task.status.in_(_OPEN),
    "owner": lambda value: Task.owner_id == value,
    "server": lambda value: Task.target_server == value.upper(),
    "since": lambda value: _task_since(Task.created_at, value),
}


def _task(value: str, _viewer: PersonInfo) -> Condition:
    conditions = [Task.sr_id == Issue.sr_id]
    for term in value.split(",")[:_MOST_TERMS]:
        name, _, given = term.partition("=")
        state = name.upper().replace("-", "_")
        if state in State.__members__:
            conditions.append(Task.status == state)
        else:
            find = _TERMS.get(name.lower())
            conditions.append(find(given) if find else false())
    return select(Task.task_id).where(*conditions).exists()


def _urgent(value: str, _viewer: PersonInfo) -> Condition:
    return Issue.priority.in_(["P1", "P2"]) if value.lower() == "yes" else false()


WORDS: dict[str, Word] = {
    "created": _within(Issue.created_at),
    "ended": _within(Issue.ended_at),
    "task": _task,
    "urgent": _urgent,
}
