"""What a button in a room carries, so that only buttons that we have made open anything.

A messenger sends it back as it got it, and says nothing else that could be checked. It names one
line and the moment at which it ends, under an HMAC with the token that the room's own webhook
sends; whoever has neither that token nor such a button can press nothing.
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
    """The line that a button belongs to, and until when."""

    message_id: int
    expires_at: datetime


def create(token: str, channel: str, message_id: int, expires_at: datetime) -> str:
    """The ticket of a line as a button carries it."""
    end = int(expires_at.timestamp())
    return f"v1.{message_id}.{end}.{_signature(token, channel, message_id, end)}"


def verify(tokens: Sequence[str], channel: str, text: str) -> ButtonToken | None:
    """A ticket that one of these tokens has sealed for this channel; ``None`` for any other text.

    Whether it is over is for the reader to judge.
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
