"""Parent and child issues that a viewer may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent

_LIMIT = 20


@dataclass(frozen=True, slots=True)
class RelatedIssue:
    """A parent or child issue in a list."""

    sr_id: int
    title: str
    status: State
    kind: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class RelatedIssues:
    """The first issues of a list, with its true length."""

    rows: tuple[RelatedIssue, ...] = ()
    total: int = 0
    ended: int = 0
    """How many of them have ended."""


def parent(session: Session, viewer: PersonInfo, issue: Issue) -> RelatedIssue | None:
    """Return the parent issue, or `None` if there is none that the viewer may see."""
    if issue.parent_id is None:
        return None
    found = session.execute(
        _related_query(viewer).where(Issue.sr_id == issue.parent_id)
    ).one_or_none()
    return _related_issue(found) if found else None


def children(session: Session, viewer: PersonInfo, sr_id: int) -> RelatedIssues:
    """Return the child issues in their order, with the true counts."""
    mine = _related_query(viewer).where(Issue.parent_id == sr_id)
    ended = Issue.status.in_([state.value for state in ENDED_STATES])
    counts = func.count().over(), func.count().filter(ended).over()
    in_order = (Issue.sub_order.nulls_last(), Issue.sr_id)
    found = session.execute(mine.add_columns(*counts).order_by(*in_order).limit(_LIMIT)).all()
    total, done = found[0][-2:] if found else (0, 0)
    return RelatedIssues(tuple(_related_issue(row[:5]) for row in found), total, done)


def _related_query(viewer: PersonInfo) -> Select[int, str, str, str | None, str]:
    return (
        select(Issue.sr_id, Issue.title, Issue.status, Issue.kind, Agent.title)
        .outerjoin(Agent, Agent.agent_id == Issue.agent_id)
        .where(visibility.visible_to(viewer))
    )


def _related_issue(row: Sequence[Any]) -> RelatedIssue:
    sr_id, title, status, kind, agent = row
    return RelatedIssue(sr_id, title, State(status), kind, agent)
