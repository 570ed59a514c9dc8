"""Who may read which document: one query condition for pages, search, citations and agents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_

from guardia.board.core.actors import Actor
from guardia.board.knowledge.model import Document
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


def readable_by(viewer: PersonInfo) -> ColumnElement[bool]:
    """Return the condition for documents that a person may read; what is not permitted is refused.

    Staff read documents whose audience is everyone or an institution, those for their role, and
    those that they added or own. A
    customer reads what is published for everyone, for the own institution or for customers, but
    never what belongs to another institution.
    """
    if not is_allowed(viewer, "document.read"):
        return false()
    audience = [Document.audience == "all"]
    by_role = and_(Document.audience == "roles", Document.roles.contains([viewer.role]))
    if viewer.role != "customer":
        mine = or_(Document.created_by == str(Actor.of(viewer)), Document.owner_id == viewer.id)
        return and_(
            Document.state != "REMOVED",
            or_(*audience, Document.audience == "institution", by_role, mine),
        )
    own = Document.inst_id == viewer.institution if viewer.institution else false()
    return and_(
        Document.state == "PUBLISHED",
        or_(Document.inst_id.is_(None), own),
        or_(*audience, and_(Document.audience == "institution", own), by_role),
    )


def in_force(now: datetime) -> ColumnElement[bool]:
    """Return the condition for documents that are searched and cited: published, not expired."""
    return and_(
        Document.state == "PUBLISHED",
        Document.published_id.is_not(None),
        or_(Document.expires_at.is_(None), Document.expires_at > now),
    )


def usable_for(institution: str | None, server: str | None = None) -> ColumnElement[bool]:
    """Return the condition for documents that agents may use for work at an institution.

    Without an institution only those that belong to none. A document of one server is for that
    server.
    """
    place = for_place(institution)
    machine: ColumnElement[bool] = Document.server_id.is_(None)
    if server:
        machine = or_(machine, Document.server_id == server)
    # What is only for some roles of people is not handed to an agent, unless engineers read it.
    staff = or_(Document.audience != "roles", Document.roles.contains(["engineer"]))
    return and_(place, machine, staff)


def for_place(institution: str | None) -> ColumnElement[bool]:
    """Return the condition for documents of an institution, or of none."""
    place: ColumnElement[bool] = Document.inst_id.is_(None)
    return or_(place, Document.inst_id == institution) if institution else place
