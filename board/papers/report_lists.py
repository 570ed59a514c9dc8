"""Lists of requests and changes of an institution or a server in a month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.display_names import display_names_of
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import ENDED_STATES
from guardia.board.core.model import Issue, Task
from guardia.board.papers.composing import MOST_ROWS
from guardia.board.papers.paper import Value
from guardia.board.papers.wording import at_minute, named, span_between
from guardia.i18n import t

_ENDED = [state.value for state in ENDED_STATES]


def is_open(at: datetime) -> ColumnElement[bool]:
    """Return the condition for issues that were open at a moment."""
    was = (Issue.created_at < at) & ((Issue.closed_at.is_(None)) | (Issue.closed_at >= at))
    return was & (Issue.kind.is_distinct_from("GOAL"))


def is_received(begins: datetime, ends: datetime) -> ColumnElement[bool]:
    """Return the condition for requests that were received in a period."""
    within = (Issue.created_at >= begins) & (Issue.created_at < ends)
    return within & (Issue.kind.is_distinct_from("GOAL"))


def on_server(server: str) -> ColumnElement[bool]:
    """Return the condition for issues with work on a server."""
    here = select(Task.sr_id).where(Task.target_server == server).correlate(None)
    return Issue.sr_id.in_(here)


def requests(session: Session, *conditions: ColumnElement[bool]) -> list[dict[str, Value]]:
    """Return the requests that fulfil all conditions, in the order of their numbers."""
    query = select(Issue).where(*conditions).order_by(Issue.sr_id).limit(MOST_ROWS + 1)
    rows = session.scalars(query).all()
    names = _engineers(session, rows)
    return [_request(row, names) for row in rows]


def count_changes(
    session: Session, begins: datetime, ends: datetime, where: ColumnElement[bool]
) -> int:
    """Return how many planned changes ended in a period."""
    query = select(func.count()).select_from(Task).join(Issue, Task.sr_id == Issue.sr_id)
    return session.scalar(query.where(*_is_change(begins, ends), where)) or 0


def _is_change(begins: datetime, ends: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Task.plan.is_not(None),
        Task.status.in_(_ENDED),
        Issue.closed_at >= begins,
        Issue.closed_at < ends,
    )


def changes(
    session: Session, begins: datetime, ends: datetime, where: ColumnElement[bool]
) -> list[dict[str, Value]]:
    """Return the planned changes that ended in a period, in order."""
    query = (
        select(Issue.sr_id, Issue.title, Task)
        .join(Task, Task.sr_id == Issue.sr_id)
        .where(*_is_change(begins, ends), where)
        .order_by(Issue.closed_at, Task.task_id)
        .limit(MOST_ROWS + 1)
    )
    return [
        {
            "number": issue_ref(row.sr_id),
            "title": row.title,
            "server": row.Task.target_server,
            "policy": named("web.policy", row.Task.category),
            "at": at_minute(row.Task.updated_at),
            "result": t(f"state.{row.Task.status}"),
        }
        for row in session.execute(query)
    ]


def _engineers(session: Session, rows: Sequence[Issue]) -> dict[str, str]:
    return display_names_of(session, _stored(row.assignee_id for row in rows if row.assignee_id))


def _stored(people: Iterable[str]) -> set[str]:
    return {str(Actor.person(person)) for person in people}


def _request(row: Issue, names: dict[str, str]) -> dict[str, Value]:
    return {
        "number": row.ref,
        "title": row.title,
        "kind": named("web.kind", row.kind),
        "priority": row.priority,
        "state": t(f"state.{row.status}"),
        "received_at": at_minute(row.created_at),
        "closed_at": at_minute(row.closed_at),
        "took": span_between(row.created_at, row.closed_at),
        "engineer": names.get(str(Actor.person(row.assignee_id))) if row.assignee_id else None,
    }
