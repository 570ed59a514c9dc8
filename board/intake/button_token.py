"""Signed token of a button in a room, so that only buttons made here have an effect.

A messenger returns it unchanged and sends nothing else that could be checked. It names one line
and its expiry, under an HMAC keyed with the token of the room's own webhook: without that token
or such a button, nothing can be pressed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_DOMAIN = b"guardia.intake.ticket.v1\n"
_FORMAT = re.compile(r"v1\.([1-9]\d{0,17})\.([1-9]\d{0,10})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ButtonToken:
    """The line to which a button belongs, and its expiry."""

    message_id: int
    expires_at: datetime


def create(token: str, channel: str, message_id: int, expires_at: datetime) -> str:
    """Return the token text for a button of a line."""
    end = int(expires_at.timestamp())
    return f"v1.{message_id}.{end}.{_signature(token, channel, message_id, end)}"


def verify(tokens: Sequence[str], channel: str, text: str) -> ButtonToken | None:
    """Return a token signed with one of `tokens` for this channel, or `None` for any other text.

    The caller checks the expiry.
    """
    found = _FORMAT.fullmatch(text)
    if found is None:
        return None
    message_id, end = int(found[1]), int(found[2])
    # All are compared, each in constant time.
    matches = [
        hmac.compare_digest(_signature(k, channel, message_id, end), found[3]) for k in tokens
    ]
    return ButtonToken(message_id, datetime.fromtimestamp(end, UTC)) if any(matches) else None


def _signature(token: str, channel: str, message_id: int, end: int) -> str:
    signed = _DOMAIN + f"{channel}\n{message_id}\n{end}".encode()
    return hmac.new(token.encode(), signed, hashlib.sha256).hexdigest()
