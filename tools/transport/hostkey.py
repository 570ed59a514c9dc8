"""A host's pinned public key, as the CMDB holds it: ``ssh-ed25519 AAAA...``."""

from __future__ import annotations

import base64


def parse(text: str) -> tuple[str, bytes]:
    """Its type and its bytes; ``ValueError`` where it is none."""
    words = text.split()
    if len(words) < 2:
        raise ValueError("a host key has a type and a key")
    return words[0], base64.b64decode(words[1], validate=True)


def algorithms(kind: str) -> tuple[str, ...]:
    """How a host may prove that it has a key of this type."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
