"""Reasons that people must give."""

from __future__ import annotations

from guardia.errors import Missing
from guardia.i18n import t
from guardia.text import MAX_REASON, trim


def require_reason(given: str, what: str = "board.reason") -> str:
    """Return the reason as it is kept. Raises `Missing` if nothing of it is visible.

    `what` is the key of the text that names what it is a reason for.
    """
    reason = trim(given, MAX_REASON)
    if not reason:
        raise Missing(what=t(what))
    return reason
