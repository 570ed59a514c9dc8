"""What completes `@` and `#` while a person types on an issue's page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Person
from guardia.text import fold

_MOST = 8
_RECENT = 200
"""Newest issues among which a title is searched."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A completion: what is inserted, and what the list shows."""

    text: str
    label: str
    detail: str


def suggest_names(
    board: BoardContext, viewer: PersonInfo, sr_id: int, words: str
) -> list[Suggestion]:
    """Return the people and agents whose names begin with or contain some words.

    Customers are offered the people of the staff and of their institution, and no agents' ids.
    """
    wanted = _pattern(words)
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        require_permission(viewer, "issue.comment", institution=issue.inst_id)
        agents = _agents(session, wanted) if viewer.role != "customer" else []
        return [*_people(session, issue, wanted), *agents][:_MOST]


def _people(session: Session, issue: Issue, wanted: str) -> list[Suggestion]:
    query = (
        select(Person)
        .where(Person.active, or_(Person.role != "customer", Person.inst_id == issue.inst_id))
        .where(or_(Person.name.ilike(wanted), Person.person_id.ilike(wanted)))
        .order_by(Person.name, Person.person_id)
        .limit(_MOST)
    )
    rows = session.scalars(query).all()
    once = {row.name for row in rows if [r.name for r in rows].count(row.name) == 1}
    return [
        Suggestion(
            f"@{row.name if row.name in once else row.person_id}",
            f"{row.name} {row.title}".strip(),
            row.person_id,
        )
        for row in rows
    ]


def _agents(session: Session, wanted: str) -> list[Suggestion]:
    query = (
        select(Agent.agent_id, Agent.title)
        .where(Agent.state == "active")
        .where(or_(Agent.title.ilike(wanted), Agent.agent_id.ilike(wanted)))
        .order_by(Agent.title)
        .limit(_MOST)
    )
    return [Suggestion(f"@{one}", title, one) for one, title in session.execute(query)]


def suggest_issues(board: BoardContext, viewer: PersonInfo, words: str) -> list[Suggestion]:
    """Return issues that the viewer may see, by number or words of the title."""
    require_permission(viewer, "issue.read")
    digits = fold(words).strip()
    recent = (
        select(Issue.sr_id, Issue.title)
        .where(visibility.visible_to(viewer))
        .order_by(Issue.sr_id.desc())
    )
    with board.database.reading() as session:
        found: list[tuple[int, str]] = []
        if digits.isascii() and digits.isdigit() and len(digits) < 19:
            exact = recent.where(Issue.sr_id == int(digits))
            found += [(number, title) for number, title in session.execute(exact)]
        rows = recent.limit(_RECENT).subquery()
        matching = select(rows).where(rows.c.title.ilike(_pattern(words))).limit(_MOST)
        found += [(number, title) for number, title in session.execute(matching)]
    pairs = dict.fromkeys(found)
    return [Suggestion(f"#{n}", title, issue_ref(n)) for n, title in list(pairs)[:_MOST]]


def _pattern(words: str) -> str:
    plain = fold(words).strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"
