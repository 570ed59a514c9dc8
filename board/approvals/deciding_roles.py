"""Roles in which a person may decide, own and delegated, and the servers that they cover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals.policy import ApproverRole
from guardia.org import delegation, revisions
from guardia.org.access import is_allowed
from guardia.org.approver_assignments import (
    ENGINEER,
    RoleCoverage,
    engineer_coverage,
    role_coverage,
)
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ScopedApproverRole:
    """A role in which a person may decide, with the institutions that it covers."""

    approver_role: ApproverRole
    coverage: RoleCoverage


def scoped_roles(
    session: Session, person: PersonInfo, now: datetime
) -> tuple[ScopedApproverRole, ...]:
    """Return the roles in which a person may decide now, own and delegated, with their coverage.

    The chart's approver assignments determine who holds a role; the account's own role applies if
    the chart assigns no one. Engineers hold theirs for the servers that they own.
    """
    duties = revisions.running_chart(session).duties
    parties: list[tuple[PersonInfo, str | None]] = []
    own: list[ScopedApproverRole] = []
    if is_allowed(person, "approval.decide"):
        parties.append((person, None))
    if is_allowed(person, "approval.decide_own"):
        own.append(ScopedApproverRole(ApproverRole(ENGINEER), engineer_coverage(session, person)))
    if is_allowed(person, "approval.answer"):
        given = delegation.principals(session, person.id, now)
        parties += [(p, p.id) for p in given if is_allowed(p, "approval.decide")]
    return (
        *own,
        *(
            ScopedApproverRole(ApproverRole(role, principal), coverage)
            for party, principal in parties
            for role, coverage in role_coverage(session, duties, party, now).items()
        ),
    )


def approver_roles(
    session: Session,
    person: PersonInfo,
    now: datetime,
    institution: str | None,
    server: str | None,
) -> tuple[ApproverRole, ...]:
    """Return the roles in which a person may decide now on work on an institution's server."""
    return roles_on(scoped_roles(session, person, now), institution, server)


def roles_on(
    scoped: Iterable[ScopedApproverRole], institution: str | None, server: str | None
) -> tuple[ApproverRole, ...]:
    """Return those of a person's roles that cover a server."""
    return tuple(
        scoped_role.approver_role
        for scoped_role in scoped
        if scoped_role.coverage.is_responsible_for(institution, server)
    )
