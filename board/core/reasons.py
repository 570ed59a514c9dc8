"""Mandatory reasons."""

from __future__ import annotations

from guardia.errors import Missing
from guardia.i18n import t
from guardia.text import MAX_REASON, trim


def require_reason(given: str, what: str = "board.reason") -> str:
    """Return the trimmed reason. Raises `Missing` if it has no visible text.

    `what` is the text key of what the reason is for.
    """
    reason = trim(given, MAX_REASON)
    if not reason:
        raise Missing(what=t(what), field="reason")
    return reason
