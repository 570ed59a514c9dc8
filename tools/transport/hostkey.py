"""Pinned public key of a host as held by the CMDB: `ssh-ed25519 AAAA...`."""

from __future__ import annotations

import base64


def parse(text: str) -> tuple[str, bytes]:
    """Return the type and bytes of a key. Raises `ValueError` if `text` is not one."""
    words = text.split()
    if len(words) < 2:
        raise ValueError("a host key has a type and a key")
    return words[0], base64.b64decode(words[1], validate=True)


def algorithms(kind: str) -> tuple[str, ...]:
    """Return the signature algorithms with which a host may prove a key of this type."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
