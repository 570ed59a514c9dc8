"""Who holds which duty: people by office and institution as the chart names them, with substitutes.

Where the chart names a role's people, only they hold it, and nobody where none of them can act;
where it does not, everyone with an account of that role does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.org.directory import PersonInfo
from guardia.org.model import Delegation, Person


class ApproverAssignment(BaseModel):
    """One office: its role, whose servers, and the accounts of those who hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    institution: str | None = None
    """``None``: of every institution that has no duty of its own for this role."""
    people: tuple[str, ...] = Field(min_length=1)
    substitutes: tuple[str, ...] = ()
    """Who acts while all of ``people`` are absent or without an open account."""


@dataclass(frozen=True, slots=True)
class RoleCoverage:
    """For which institutions somebody holds a role: ``default``, and the opposite in ``but``."""

    default: bool
    exceptions: frozenset[str]

    def is_responsible_for(self, institution: str | None) -> bool:
        """Whether it reaches an institution's servers."""
        return self.default is not (institution in self.exceptions)

    @property
    def empty(self) -> bool:
        """Whether it reaches nothing."""
        return not self.default and not self.exceptions


def assignment_for(
    assignments: Iterable[ApproverAssignment], role: str, institution: str | None
) -> ApproverAssignment | None:
    """The duty that says who holds a role for an institution, or ``None``."""
    fitting = {d.institution: d for d in assignments if d.role == role}
    return fitting.get(institution) or fitting.get(None)


def role_coverage(
    session: Session, assignments: Sequence[ApproverAssignment], person: PersonInfo, now: datetime
) -> dict[str, RoleCoverage]:
    """The roles that a person holds now, and how far each reaches."""
    present = _available(session, assignments, now)
    roles = {
        person.role,
        *(d.role for d in assignments if person.id in (*d.people, *d.substitutes)),
    }
    found = {}
    for role in sorted(roles):
        held = {
            d.institution: person.id in _assignees(d, present)
            for d in assignments
            if d.role == role
        }
        default = held.pop(None, person.role == role)
        exceptions = frozenset(
            i for i, holds in held.items() if i is not None and holds is not default
        )
        found[role] = RoleCoverage(default, exceptions)
    return {role: reach for role, reach in found.items() if not reach.empty}


def approvers(
    session: Session,
    assignments: Sequence[ApproverAssignment],
    roles: Iterable[str],
    institution: str | None,
    now: datetime,
) -> list[Person]:
    """The accounts that hold one of these roles for an institution now, absent ones included."""
    named: set[str] = set()
    free: set[str] = set()
    present = _available(session, assignments, now)
    for role in roles:
        assignment = assignment_for(assignments, role, institution)
        if assignment is None:
            free.add(role)
        else:
            named |= _assignees(assignment, present)
    query = select(Person).where(Person.role.in_(free) | Person.person_id.in_(named), Person.active)
    return list(session.scalars(query.order_by(Person.person_id)))


def named_accounts(session: Session, assignments: Sequence[ApproverAssignment]) -> set[str]:
    """Those whom duties name and who have an open account."""
    named = {p for d in assignments for p in (*d.people, *d.substitutes)}
    query = select(Person.person_id).where(Person.person_id.in_(named), Person.active)
    return set(session.scalars(query))


def _assignees(assignment: ApproverAssignment, present: set[str]) -> set[str]:
    """Who holds it: its people, and their substitutes while none of them is there."""
    away = present.isdisjoint(assignment.people)
    return {*assignment.people, *(assignment.substitutes if away else ())}


def _available(
    session: Session, assignments: Sequence[ApproverAssignment], now: datetime
) -> set[str]:
    """Those whom duties name and who are there: an open account, and no absence."""
    if not assignments:
        return set()
    absent = select(Delegation.principal_id).where(
        Delegation.absent,
        Delegation.revoked_at.is_(None),
        Delegation.begins_at <= now,
        Delegation.ends_at > now,
    )
    query = select(Person.person_id).where(
        Person.person_id.in_({p for d in assignments for p in d.people}),
        Person.active,
        Person.person_id.not_in(absent),
    )
    return set(session.scalars(query))
