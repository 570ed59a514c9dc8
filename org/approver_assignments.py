"""Approver assignments: which people hold a role for an institution, and their substitutes.

If the chart assigns people to a role, only they hold it, even if none of them is available.
Otherwise every open account with that role holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.org.directory import PersonInfo
from guardia.org.model import INFO_COLUMNS, Delegation, Person, Server, person_info
from guardia.org.ownership import owned_servers
from guardia.text import CleanStr

ENGINEER = "engineer"
"""The role of an approval step that the owners of the server hold; the chart assigns it to no
one."""

_NAMES = ARRAY(Person.person_id.type)
_OWNED = owned_servers()
_OWNERS = select(_OWNED.c.owner_id).where(_OWNED.c.server_id == bindparam("server"))
_HOLDERS = Statement(
    select(*INFO_COLUMNS)
    .where(
        Person.active,
        (
            (Person.role == any_(bindparam("roles", type_=_NAMES)))
            & ((Person.role != ENGINEER) | Person.person_id.in_(_OWNERS))
        )
        | (Person.person_id == any_(bindparam("named", type_=_NAMES))),
    )
    .order_by(Person.person_id)
)


class ApproverAssignment(BaseModel):
    """One assignment: a role, the institution it covers, and the accounts that hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: CleanStr
    institution: CleanStr | None = None
    """`None`: every institution without an assignment of its own for this role."""
    people: tuple[CleanStr, ...] = Field(min_length=1)
    substitutes: tuple[CleanStr, ...] = ()
    """Accounts that act while all of `people` are absent or have no open account."""


@dataclass(frozen=True, slots=True)
class RoleCoverage:
    """Institutions for which a person holds a role.

    `by_default` applies to all institutions but `exceptions`, for which the opposite applies.
    """

    by_default: bool
    exceptions: frozenset[str]
    servers: frozenset[str] | None = None
    """The only servers that it covers; `None`: all of these institutions."""

    def is_responsible_for(self, institution: str | None, server: str | None = None) -> bool:
        """Return whether the role covers a server of an institution."""
        if self.by_default is (institution in self.exceptions):
            return False
        return self.servers is None or server in self.servers

    @property
    def is_empty(self) -> bool:
        """Whether it covers no institution."""
        return not self.by_default and not self.exceptions


def assignment_for(
    assignments: Iterable[ApproverAssignment], role: str, institution: str | None
) -> ApproverAssignment | None:
    """Return the assignment that names a role's people for an institution, or `None`."""
    fitting = {d.institution: d for d in assignments if d.role == role}
    return fitting.get(institution) or fitting.get(None)


def role_coverage(
    session: Session, assignments: Sequence[ApproverAssignment], person: PersonInfo, now: datetime
) -> dict[str, RoleCoverage]:
    """Return the roles that a person holds now, each with the institutions it covers."""
    available = _available(session, assignments, now)
    roles = {
        *({person.role} - {ENGINEER}),
        *(d.role for d in assignments if person.id in (*d.people, *d.substitutes)),
    }
    found = {}
    for role in sorted(roles):
        covered = {
            d.institution: person.id in _assignees(d, available)
            for d in assignments
            if d.role == role
        }
        by_default = covered.pop(None, person.role == role)
        exceptions = frozenset(
            i for i, covers in covered.items() if i is not None and covers is not by_default
        )
        found[role] = RoleCoverage(by_default, exceptions)
    return {role: coverage for role, coverage in found.items() if not coverage.is_empty}


def approvers(
    session: Session,
    assignments: Sequence[ApproverAssignment],
    roles: Iterable[str],
    institution: str | None,
    now: datetime,
    server: str | None = None,
) -> list[PersonInfo]:
    """Return the accounts that hold one of these roles now, including absent ones.

    The role `engineer` is held by the engineers who own the server.
    """
    named: set[str] = set()
    unassigned: set[str] = set()
    available = _available(session, assignments, now)
    for role in roles:
        assignment = assignment_for(assignments, role, institution)
        if assignment is None:
            unassigned.add(role)
        else:
            named |= _assignees(assignment, available)
    values = {"roles": sorted(unassigned), "named": sorted(named), "server": server}
    return [person_info(*row) for row in _HOLDERS.run(session, values)]


def engineer_coverage(session: Session, person: PersonInfo) -> RoleCoverage:
    """Return the servers for which a person holds the role `engineer`: those that they own."""
    owned = owned_servers()
    query = select(owned.c.server_id).where(owned.c.owner_id == person.id)
    return RoleCoverage(True, frozenset(), frozenset(session.scalars(query)))


def servers_without_engineer(session: Session) -> list[str]:
    """Return the servers that no engineer with an open account owns."""
    every = owned_servers()
    owned = (
        select(every.c.server_id)
        .join(Person, Person.person_id == every.c.owner_id)
        .where(Person.role == ENGINEER, Person.active)
    )
    query = select(Server.server_id).where(Server.server_id.not_in(owned))
    return list(session.scalars(query.order_by(Server.server_id)))


def named_accounts(session: Session, assignments: Sequence[ApproverAssignment]) -> set[str]:
    """Return the accounts that assignments name and that are open."""
    named = {p for d in assignments for p in (*d.people, *d.substitutes)}
    query = select(Person.person_id).where(Person.person_id.in_(named), Person.active)
    return set(session.scalars(query))


def _assignees(assignment: ApproverAssignment, available: set[str]) -> set[str]:
    """Return who holds an assignment: its people, plus substitutes while all people are away."""
    away = available.isdisjoint(assignment.people)
    return {*assignment.people, *(assignment.substitutes if away else ())}


def _available(
    session: Session, assignments: Sequence[ApproverAssignment], now: datetime
) -> set[str]:
    """Return the named accounts that are open and not absent."""
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
