"""Parent and child issues that a viewer may see."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
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


def parent(session: Session, viewer: PersonInfo, issue: Issue) -> RelatedIssue | None:
    """Return the parent issue, or `None` if there is none that the viewer may see."""
    if issue.parent_id is None:
        return None
    found = session.execute(
        _related_query(viewer).where(Issue.sr_id == issue.parent_id)
    ).one_or_none()
    return _related_issue(found) if found else None


def children(session: Session, viewer: PersonInfo, sr_id: int) -> RelatedIssues:
    """Return the child issues, oldest first."""
    query = _related_query(viewer).where(Issue.parent_id == sr_id)
    found = session.execute(query.order_by(Issue.sr_id).limit(_LIMIT)).all()
    total = len(found)
    if total == _LIMIT:
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return RelatedIssues(tuple(_related_issue(row) for row in found), total)


def _related_query(viewer: PersonInfo) -> Select[int, str, str, str | None, str]:
    return (
        select(Issue.sr_id, Issue.title, Issue.status, Issue.kind, Agent.title)
        .outerjoin(Agent, Agent.agent_id == Issue.agent_id)
        .where(visibility.visible_to(viewer))
    )


def _related_issue(row: Row[int, str, str, str | None, str]) -> RelatedIssue:
    sr_id, title, status, kind, agent = row
    return RelatedIssue(sr_id, title, State(status), kind, agent)
