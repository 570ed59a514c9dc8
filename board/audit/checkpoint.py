"""Signed checkpoints of the chain: its size and last hash at a given time.

Each names the one before, so they form a chain of their own. The signing key is stored outside
the database: an owner of the database can rewrite the entries, but not what was signed. Pure: the
standard library, the chain and the signature library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guardia.board.audit.canonical import canonical, from_microseconds, to_microseconds
from guardia.board.audit.chain import ORIGIN, WitnessedHead
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
    """A signed statement about the chain at one moment."""

    chain: str
    size: int
    """Entries at that moment."""
    head: str
    """Hash of the last of them."""
    time: datetime
    previous: str
    """Identity of the checkpoint before, or the chain's origin."""
    key: str = ""
    """Fingerprint of the signing key."""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return the bytes that are signed."""
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
        """Return the name by which the next checkpoint refers to this one (SHA-256, hex)."""
        return _identity(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-compatible values."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "time": to_microseconds(self.time)}


@lru_cache(maxsize=64)  # each signature compares the same two with all witnesses
def _identity(checkpoint: Checkpoint) -> str:
    return hashlib.sha256(checkpoint.signed_bytes()).hexdigest()


def parse_checkpoint(data: Any) -> Checkpoint:
    """Return the checkpoint in parsed JSON. Raises `ValueError` if it is malformed."""
    if not isinstance(data, Mapping) or data.keys() != _FIELDS.keys():
        raise ValueError("not a checkpoint")
    # bool is a subclass of int in Python, but a type of its own in JSON.
    if any(type(data[name]) is not kind for name, kind in _FIELDS.items()):
        raise ValueError("not a checkpoint")
    try:
        return Checkpoint(**{**data, "time": from_microseconds(data["time"])})
    except OverflowError:
        raise ValueError("not a time") from None


def generate_key() -> str:
    """Return a new private key (PEM)."""
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
    """Return the private key in `pem`. Raises `ValueError` if it is not Ed25519."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not a private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return key


def load_public_key(pem: str) -> Ed25519PublicKey:
    """Return the public key in `pem`. Raises `ValueError` if it is not Ed25519."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """Return a public key as PEM, for distribution."""
    return key.public_bytes(*_PUBLIC).decode()


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 (hex) of a public key."""
    return hashlib.sha256(key.public_bytes(*_RAW)).hexdigest()


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    """Return the checkpoint with its signature."""
    named = replace(checkpoint, key=fingerprint(key.public_key()))
    return replace(named, signature=key.sign(named.signed_bytes()).hex())


def find_fault(
    checkpoint: Checkpoint, before: Checkpoint | None, chain: str, key: Ed25519PublicKey | None
) -> str | None:
    """Return why a checkpoint is invalid after the one before it, or `None`.

    `chain`: belongs to another chain; `key`: signed with another key; `signature`: changed after
    signing; `order`: not later than the one before; `previous`: one is missing in between, or
    there are two series.
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
    """Yield the heads that a series of checkpoints attests; stops after the first invalid one.

    `announced`: the entries after `before` that announce a successor of the key, in order.
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
