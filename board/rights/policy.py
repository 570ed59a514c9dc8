"""Which rights need a second person, and who may be that person. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from guardia.org.access import permission_scope

PRIVILEGED = frozenset({"team_lead", "pm", "security_officer", "admin"})
"""Roles of approvers, administrators and security officers."""
FORBIDDEN_TO_VENDORS = frozenset({"admin", "security_officer"})
"""Roles that no one has who works for a vendor."""
LIFETIME = timedelta(days=14)
"""Time for a decision, and then for the act that an approval permits."""


class Kind(StrEnum):
    """What a request asks for. Stored: never rename a value."""

    ROLE = "role"
    """Another role for an account."""
    OPEN = "open"
    """A closed account, opened with its role."""
    PASSWORD = "password"
    """A one-time password: its maker could sign in as its person."""
    IDENTITY = "identity"
    """Another human behind an account: it decides who counts as the same person."""
    DUTY = "duty"
    """A role of approvers by the org chart, beside that of the account."""
    DELEGATION = "delegation"
    """Another person's decisions."""
    MESSENGER = "messenger"
    """A messenger account, whose lines count as those of its person."""


@dataclass(frozen=True, slots=True)
class Human:
    """An account and the human behind it."""

    account: str
    human: str
    role: str


def may_decide(decider: Human, beneficiary: str, requester: str | None) -> bool:
    """Return whether a person may decide a request.

    Neither who would have the right nor who asked for it; `requester` is `None`
    for the operator of the host.
    """
    if permission_scope(decider.role, "right.decide") is None:
        return False
    return decider.human not in {beneficiary, requester}


def gained_duties(
    before: Mapping[tuple[str, str | None], frozenset[str]],
    after: Mapping[tuple[str, str | None], frozenset[str]],
    roles: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return whom a chart gives which role of approvers that their account does not have.

    Both charts map role and institution to people; `roles` are those of the open accounts. Returns
    person and duty, such as `("pm", "team_lead:MOF")`.
    """
    return sorted(
        (person, f"{role}:{institution or '*'}")
        for (role, institution), people in after.items()
        for person in people - before.get((role, institution), frozenset())
        if roles.get(person) in PRIVILEGED and roles[person] != role
    )
