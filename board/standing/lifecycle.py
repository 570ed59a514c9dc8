"""Lifecycle of a standing approval."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class StandingState(StrEnum):
    """State of a standing approval."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


_S = StandingState
TRANSITIONS: MappingProxyType[StandingState, frozenset[StandingState]] = MappingProxyType(
    {
        _S.PROPOSED: frozenset({_S.APPROVED, _S.REJECTED, _S.REVOKED, _S.EXPIRED}),
        _S.APPROVED: frozenset({_S.REVOKED, _S.EXPIRED}),
        _S.REJECTED: frozenset(),
        _S.REVOKED: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)
OPEN = (_S.PROPOSED, _S.APPROVED)
"""States that a standing approval can leave."""
