"""Rank the people for a request, and find who looks after what is unassigned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from guardia.board.assignment.model import QueueEntry
from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb.responsibility import Responsible
from guardia.board.core.model import Issue
from guardia.i18n import t
from guardia.org.model import Person

_SHOWN = 5
_LEADERS = ("team_lead", "pm", "admin")


@dataclass(frozen=True, slots=True)
class QueueOwner:
    """Who looks after an unassigned issue, and why."""

    person_id: str | None
    reason: str


def rank(session: Session, issue: Issue, at: datetime) -> list[Responsible]:
    """Return the engineers for an issue, the best first."""
    servers = issue.triage.get("servers") or []
    server = servers[0] if servers else None
    return responsibility_view.ranked_engineers(
        session, server, issue.inst_id, issue.category or "", at
    )


def as_stored(ranked: Sequence[Responsible]) -> list[dict[str, Any]]:
    """Return the best of a ranking as JSON for a column."""
    return [
        {"person": one.person.id, "score": one.score, "reasons": list(one.reasons)}
        for one in ranked[:_SHOWN]
    ]


def owner_for(session: Session, issue: Issue, at: datetime) -> QueueOwner:
    """Return who looks after an unassigned issue: on duty, or a lead with the fewest of them."""
    on_duty = responsibility_view.on_duty_for(session, issue.category or "", issue.inst_id, at)
    if on_duty:
        first = min(on_duty, key=lambda shift: (shift.duty, shift.person))
        return QueueOwner(first.person, t("assignment.owner.on_duty", duty=first.duty))
    absent = responsibility_view.absent_people(session, at)
    waiting = func.count(QueueEntry.entry_id)
    query = (
        select(Person.person_id, Person.role)
        .outerjoin(
            QueueEntry,
            and_(QueueEntry.owner_id == Person.person_id, QueueEntry.left_at.is_(None)),
        )
        .where(Person.active, Person.role.in_(_LEADERS), Person.person_id.not_in(absent))
        .group_by(Person.person_id, Person.role)
        .order_by(waiting, Person.person_id)
    )
    found = session.execute(query).all()
    for role in _LEADERS:
        if chosen := next((person for person, its in found if its == role), None):
            return QueueOwner(chosen, t(f"assignment.owner.{role}"))
    return QueueOwner(None, t("assignment.owner.none"))
