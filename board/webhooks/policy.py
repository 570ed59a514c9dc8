"""Rules of webhooks: events, pauses between attempts, where they may go. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

EVENTS = ("issues", "issue_comment", "label")
"""Events that can be chosen; `ping` is always sent."""
ALL_EVENTS = "*"
CONTENT_TYPES = ("json", "form")
PAUSES = tuple(timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200))
"""Pauses before the second attempt and those after it."""
MOST_FAILURES = 10
"""Deliveries in a row that may fail for good before the webhook is disabled."""
KEEP = timedelta(days=30)
MAX_URL = 500
MAX_BODY = 1 << 20
"""Bytes of a delivery."""
MAX_ANSWER = 4_000
"""Characters of an answer that are kept."""


def pause_after(attempts: int) -> timedelta | None:
    """Return the pause after so many failed attempts, or `None` after the last one."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """Return the headers by which a receiver recognizes who sent a body."""
    key = secret.encode()
    return {
        "X-Hub-Signature": f"sha1={hmac.new(key, body, hashlib.sha1).hexdigest()}",
        "X-Hub-Signature-256": f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}",
    }


def is_usable_url(url: str) -> bool:
    """Return whether a text is an address that can be called, without a password in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_plain = url.isprintable() and " " not in url and "\\" not in url and len(url) <= MAX_URL
    has_host = bool(parts.hostname) and "@" not in parts.netloc and port != 0
    return parts.scheme in {"http", "https"} and has_host and is_plain


def shown_url(url: str) -> str:
    """Return an address for people: what a query may hold as a secret is masked."""
    before, mark, _ = url.partition("?")
    return f"{before}{mark}***" if mark else before


def is_local(address: str) -> bool:
    """Return whether an IP address is one of this host, of its link, or of no host at all."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return is_local(str(inner))
    return (
        found.is_loopback
        or found.is_link_local
        or found.is_unspecified
        or found.is_multicast
        or found.is_reserved
    )


SENDER_WINDOW = timedelta(hours=1)
"""Time around an event in which its audit entry was written, as far as clocks may differ."""
