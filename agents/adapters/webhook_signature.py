"""Signatures of webhooks: HMAC-SHA256 over timestamp and body, valid for a few minutes."""

from __future__ import annotations

import hashlib
import hmac
import time

TIMESTAMP = "x-guardia-timestamp"
SIGNATURE = "x-guardia-signature"
DELIVERY = "x-guardia-delivery"
"""Id of the session: a receiver that has seen it drops the repetition."""
MAX_AGE = 300
"""Seconds by which a webhook may be old or early."""
_VERSION = "v1"


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature of `body` at a Unix time."""
    signed = f"{timestamp}.".encode() + body
    return f"{_VERSION}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def verify(
    secret: str, timestamp: str, signature: str, body: bytes, now: float | None = None
) -> bool:
    """Return whether a webhook is authentic and fresh. Receivers must check this first."""
    if not timestamp.isdecimal() or len(timestamp) > 12:
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > MAX_AGE:
        return False
    return hmac.compare_digest(sign(secret, int(timestamp), body).encode(), signature.encode())
