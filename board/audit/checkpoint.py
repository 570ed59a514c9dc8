"""Signed checkpoints of the chain: "at this time it had so many entries and ended so".

Each names the one before, so they are a chain of their own. The key that signs them lives
outside the database: who owns the database can rewrite the entries, but not what was signed.
Pure: the standard library, the chain and the signature library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guardia.board.audit.chain import (
    ORIGIN,
    WitnessedHead,
    canonical,
    from_microseconds,
    to_microseconds,
)
from guardia.board.audit.signing_keys import KeySuccession

_DOMAIN = b"guardia.audit.checkpoint.v1\n"
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
_FIELDS = {
    "chain": str, "size": int, "head": str, "time": int, "previous": str, "key": str,
    "signature": str,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a key holder says of the chain at one moment."""

    chain: str
    size: int
    """Entries at that moment."""
    head: str
    """Hash of the last of them."""
    time: datetime
    previous: str
    """Identity of the checkpoint before, or the chain's origin."""
    key: str = ""
    """Fingerprint of the key that signs."""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """The bytes that are signed."""
        body = {
            "chain": self.chain,
            "size": self.size,
            "head": self.head,
            "time": to_microseconds(self.time),
            "previous": self.previous,
            "key": self.key,
        }
        return _DOMAIN + canonical(body)

    def identity(self) -> str:
        """What the next checkpoint calls it (SHA-256, hex)."""
        return hashlib.sha256(self.signed_bytes()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "time": to_microseconds(self.time)}


def parse_checkpoint(data: Any) -> Checkpoint:
    """The checkpoint of such JSON; ``ValueError`` where it is none."""
    if not isinstance(data, Mapping) or data.keys() != _FIELDS.keys():
        raise ValueError("not a checkpoint")
    # bool is an int to Python, and not one in JSON.
    if any(type(data[name]) is not kind for name, kind in _FIELDS.items()):
        raise ValueError("not a checkpoint")
    try:
        return Checkpoint(**{**data, "time": from_microseconds(data["time"])})
    except OverflowError:
        raise ValueError("not a time") from None


def generate_key() -> str:
    """A new private key (PEM)."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def load_private_key(pem: str) -> Ed25519PrivateKey:
    """The key in ``pem``; ``ValueError`` where there is none of our kind."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not a private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def load_public_key(pem: str) -> Ed25519PublicKey:
    """The key in ``pem``; ``ValueError`` where there is none of our kind."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as people hand it on."""
    return key.public_bytes(*_PUBLIC).decode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 (hex) of a public key."""
    return hashlib.sha256(key.public_bytes(*_RAW)).hexdigest()


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    """The checkpoint with its signature."""
    named = replace(checkpoint, key=fingerprint(key.public_key()))
    return replace(named, signature=key.sign(named.signed_bytes()).hex())


def find_fault(
    checkpoint: Checkpoint, before: Checkpoint | None, chain: str, key: Ed25519PublicKey | None
) -> str | None:
    """Why a checkpoint does not hold after the one before it, or ``None``.

    ``chain``: of another chain; ``key``: signed with another key; ``signature``: changed after
    it was signed; ``order``: not later than the one before; ``previous``: one is missing between,
    or there are two series.
    """
    if checkpoint.chain != chain:
        return "chain"
    if key is None or checkpoint.key != fingerprint(key):
        return "key"
    if not _is_signature_valid(checkpoint, key):
        return "signature"
    if before is None:
        return None if checkpoint.previous == ORIGIN else "previous"
    if checkpoint.size <= before.size or checkpoint.time <= before.time:
        return "order"
    return None if checkpoint.previous == before.identity() else "previous"


def _is_signature_valid(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(bytes.fromhex(checkpoint.signature), checkpoint.signed_bytes())
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def witnessed_heads(
    checkpoints: Iterable[Checkpoint],
    chain: str,
    succession: KeySuccession,
    before: Checkpoint | None = None,
    announced: Iterable[tuple[int, Any]] = (),
) -> Iterator[WitnessedHead]:
    """What a series of checkpoints says of the chain; ends with the first that does not hold.

    ``announced``: the entries after ``before`` that announce a successor of the key, in order.
    """
    entries = iter(announced)
    entry = next(entries, None)
    for checkpoint in checkpoints:
        while entry is not None and entry[0] <= checkpoint.size:
            if not succession.accept_successor(entry[1]):
                yield WitnessedHead(entry[0], "", "checkpoint", "succession")
                return
            entry = next(entries, None)
        wrong = find_fault(checkpoint, before, chain, succession.key)
        yield WitnessedHead(checkpoint.size, checkpoint.head, "checkpoint", wrong)
        if wrong:
            return
        before = checkpoint
        succession.switch_to_successor()
    if entry is not None and not succession.accept_successor(entry[1]):
        yield WitnessedHead(entry[0], "", "checkpoint", "succession")
