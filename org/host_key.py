"""Public keys of hosts: the form in which they are pinned, and their fingerprints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from guardia.errors import Invalid
from guardia.i18n import t

TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Types that may be pinned, the preferred one first."""


def normalized(text: str) -> str:
    """Return a key as `type base64`. Raises `Invalid` if the text is no public host key."""
    words = text.split()
    kind = next((n for n, word in enumerate(words[:2]) if word in TYPES), None)
    if kind is None or len(words) < kind + 2:
        raise _invalid(text)
    try:
        raw = base64.b64decode(words[kind + 1], validate=True)
        (length,) = struct.unpack(">I", raw[:4])
        named = raw[4 : 4 + length].decode("ascii")
    except (binascii.Error, ValueError, struct.error):
        raise _invalid(text) from None
    if named != words[kind] or len(raw) < 32:
        raise _invalid(text)
    return f"{words[kind]} {base64.b64encode(raw).decode()}"


def fingerprint(key: str) -> str:
    """Return the fingerprint of a key, as `ssh-keygen -l` prints it."""
    raw = base64.b64decode(normalized(key).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def _invalid(text: str) -> Invalid:
    return Invalid(what=" ".join(text.split())[:60] or "-", why=t("org.host_key"))
