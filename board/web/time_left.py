"""How long a session lasts without a further action, for its pages."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from guardia.board.core.context import BoardContext
from guardia.board.web.session import Visitor


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """How long a session lasts, in seconds: a page's clock may differ from the server's."""

    seconds: int
    warning: int
    """Seconds before the end at which pages warn."""
    extendable: bool
    """Whether an extension would move the end."""


def time_left(board: BoardContext, visitor: Visitor | None) -> TimeLeft | None:
    """Return how long the session of a visitor lasts; `None` for an access token."""
    found = visitor.session if visitor else None
    if found is None:
        return None
    policy, role = board.accounts, found.person.role
    ends = policy.session_ends(role, found.used_at, found.expires_at)
    return TimeLeft(
        seconds=max(0, ceil((ends - board.current_time()).total_seconds())),
        warning=int(policy.warning(role).total_seconds()),
        extendable=ends < found.expires_at,
    )
