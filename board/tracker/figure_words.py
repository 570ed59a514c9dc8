"""Keys of the issue filter that name the issues behind a figure of the dashboard.

`task:` holds for issues that have one task with all of its terms, of which days are days in Seoul:
`task:completed+agent+since=2026-11-01+server=MOF-WAS-01`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, false, func, select
from sqlalchemy.orm import InstrumentedAttribute

from guardia.board.core.labels import SEOUL
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task

Condition = ColumnElement[bool]
_OPEN = sorted(state.value for state in OPEN_STATES)
_MOST_TERMS = 8


def _midnight(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), SEOUL)
    except ValueError:
        return None


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


def task(value: str) -> Condition:
    """Return the condition of `task:`; a term that means nothing finds no issue."""
    conditions = [Task.sr_id == Issue.sr_id]
    for term in value.split("+")[:_MOST_TERMS]:
        name, _, given = term.partition("=")
        state = name.upper().replace("-", "_")
        if state in State.__members__:
            conditions.append(Task.status == state)
        else:
            find = _TERMS.get(name.lower())
            conditions.append(find(given) if find else false())
    return select(Task.task_id).where(*conditions).exists()


def urgent(value: str) -> Condition:
    """Return the condition of `urgent:yes`: the two highest priorities."""
    return Issue.priority.in_(["P1", "P2"]) if value.lower() == "yes" else false()
