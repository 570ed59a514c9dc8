"""Signed webhooks: HMAC-SHA256 over the moment and the body, worthless after a few minutes."""

from __future__ import annotations

import hashlib
import hmac
import time

TIMESTAMP = "x-guardia-timestamp"
SIGNATURE = "x-guardia-signature"
DELIVERY = "x-guardia-delivery"
"""Number of the turn: a receiver that has seen it drops the repeat."""
MAX_AGE = 300
"""Seconds that a webhook may be old or early."""
_VERSION = "v1"


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The signature of ``body`` at a Unix time."""
    signed = f"{timestamp}.".encode() + body
    return f"{_VERSION}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def verify(
    secret: str, timestamp: str, signature: str, body: bytes, now: float | None = None
) -> bool:
    """Whether a webhook is ours and fresh; what a receiver must ask before anything else."""
    if not timestamp.isdecimal() or len(timestamp) > 12:
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > MAX_AGE:
        return False
    return hmac.compare_digest(sign(secret, int(timestamp), body).encode(), signature.encode())
