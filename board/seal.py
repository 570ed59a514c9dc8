"""The seal under a person's decision: an Ed25519 signature by this installation's key.

Signed is ``{issue, task, plan hash, step, person, verdict, chain head}`` as canonical bytes, in the
transaction that appends the entry, so that a decision cannot be moved to another plan, person or
place in the record without the key, which lies outside the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guardia.board.chain import canonical, clean
from guardia.org.keys import Keys

NAME = "decision-key"
_DOMAIN = b"guardia.decision.v1\n"


@dataclass(frozen=True, slots=True)
class Seal:
    """The installation's key. ``Seal.passing()`` is one that ends with the process."""

    _key: Ed25519PrivateKey

    @classmethod
    def passing(cls) -> Seal:
        """A key that nobody keeps: what it signs is proven only against its entry's own key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def kept(cls, keys: Keys) -> Seal:
        """The installation's key, made at its first use."""
        raw = keys.obtain(NAME, lambda: Ed25519PrivateKey.generate().private_bytes_raw().hex())
        return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(raw)))

    @property
    def public(self) -> str:
        """The public half, hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, said: Mapping[str, Any]) -> dict[str, str]:
        """Signature and public key, hex, as the entry keeps them."""
        return {"signature": self._key.sign(_bytes(said)).hex(), "key": self.public}


def genuine(said: Mapping[str, Any], signature: str, key: str) -> bool:
    """Whether ``key`` signed exactly this."""
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), _bytes(said))
    except (ValueError, InvalidSignature):
        return False
    return True


def _bytes(said: Mapping[str, Any]) -> bytes:
    return _DOMAIN + canonical(clean(dict(said)))
