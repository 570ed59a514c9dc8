"""Parents and children among issues, as far as a viewer may see them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.org.directory import PersonName
from guardia.org.model import Agent

_MANY = 200


@dataclass(frozen=True, slots=True)
class Relative:
    """A parent or child in one line."""

    sr_id: int
    title: str
    status: State
    kind: str | None
    agent: str | None


def parent(session: Session, viewer: PersonName, issue: Issue) -> Relative | None:
    """The issue that this one came of; ``None`` where there is none for this viewer."""
    if issue.parent_id is None:
        return None
    found = session.execute(_relatives(viewer).where(Issue.sr_id == issue.parent_id)).one_or_none()
    return _relative(found) if found else None


def children(session: Session, viewer: PersonName, sr_id: int) -> tuple[Relative, ...]:
    """The issues that came of this one, in order."""
    query = _relatives(viewer).where(Issue.parent_id == sr_id).order_by(Issue.sr_id).limit(_MANY)
    return tuple(_relative(row) for row in session.execute(query))


def _relatives(viewer: PersonName) -> Select[int, str, str, str | None, str]:
    return (
        select(Issue.sr_id, Issue.title, Issue.status, Issue.kind, Agent.title)
        .outerjoin(Agent, Agent.agent_id == Issue.agent_id)
        .where(visibility.visible(viewer))
    )


def _relative(row: Row[int, str, str, str | None, str]) -> Relative:
    sr_id, title, status, kind, agent = row
    return Relative(sr_id, title, State(status), kind, agent)
