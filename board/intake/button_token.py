"""Signed token of a button in a room, so that only buttons made here have an effect.

A messenger returns it unchanged and sends nothing else that could be checked. It names an act, its
value and its expiry, under an HMAC keyed with the channel's own secret: without that secret or such
a button, nothing can be pressed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_DOMAIN = b"guardia.intake.press.v2\n"
_FORMAT = re.compile(
    r"v2\.([a-z][a-z_]{0,31})\.([A-Za-z0-9_=-]{0,1600})\.([1-9]\d{0,10})\.([0-9a-f]{64})", re.ASCII
)
_MAX_VALUE = 1200
"""Bytes of a value, so that the token fits the button of every messenger (Slack: 2,000)."""


@dataclass(frozen=True, slots=True)
class ButtonToken:
    """Meaning of a button, and its expiry."""

    act: str
    value: str
    expires_at: datetime


def create(key: str, channel: str, act: str, value: str, expires_at: datetime) -> str:
    """Return the token text for a button. Raises `ValueError` for a value that is too long."""
    encoded = value.encode()
    if len(encoded) > _MAX_VALUE:
        raise ValueError(f"the value of {act} is too long for a button")
    body = f"{act}.{urlsafe_b64encode(encoded).decode()}.{int(expires_at.timestamp())}"
    return f"v2.{body}.{_signature(key, channel, body)}"


def verify(keys: Sequence[str], channel: str, text: str) -> ButtonToken | None:
    """Return a token signed with one of `keys` for this channel, or `None` for any other text.

    The caller checks the expiry.
    """
    found = _FORMAT.fullmatch(text)
    if found is None:
        return None
    body = f"{found[1]}.{found[2]}.{found[3]}"
    # All are compared, each in constant time.
    matches = [hmac.compare_digest(_signature(k, channel, body), found[4]) for k in keys]
    if not any(matches):
        return None
    value = urlsafe_b64decode(found[2]).decode()
    return ButtonToken(found[1], value, datetime.fromtimestamp(int(found[3]), UTC))


def _signature(key: str, channel: str, body: str) -> str:
    signed = _DOMAIN + f"{channel}\n{body}".encode()
    return hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
