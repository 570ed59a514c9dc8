"""Signing keys of checkpoints and decisions, and their succession.

A key is replaced by an entry that announces its successor and that the key itself has signed. The
successor of a checkpoint key signs every checkpoint after the one with which its predecessor
covered that entry; the successor of a decision key signs at once. No other announcement is valid,
and no unannounced key is accepted. Pure: the standard library, the chain and the signature
library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guardia.board.audit.canonical import canonical, clean
from guardia.board.audit.chain import AnyEntry, ChainEntry
from guardia.board.audit.kinds import EntryKind

SUCCESSION_KIND = EntryKind.KEY_SUCCEEDED
"""Kind of the entry that announces a successor."""
CHECKPOINT_KEYS, DECISION_KEYS = "record", "decisions"
"""Uses of a key."""
_SUCCESSION = b"guardia.key.succession.v1\n"
_DECISION = b"guardia.decision.v1\n"
_SIGNED_FIELDS = ("use", "previous", "public")
SIGNED_KINDS = frozenset(
    {
        EntryKind.APPROVED,
        EntryKind.REJECTED,
        EntryKind.CHANGES_ASKED,
        EntryKind.STANDING_DECIDED,
    }
)
"""Kinds of entries that must carry a signed statement; others may."""
_WATCHED_KINDS = SIGNED_KINDS | {SUCCESSION_KIND}
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def public_hex(key: Ed25519PublicKey) -> str:
    """Return a public key as entries name it (hex)."""
    return key.public_bytes(*_RAW).hex()


def build_announcement(
    use: str, key: Ed25519PrivateKey, successor: Ed25519PublicKey
) -> dict[str, str]:
    """Return the details of the entry in which `key` announces `successor`."""
    statement = {
        "use": use,
        "previous": public_hex(key.public_key()),
        "public": public_hex(successor),
    }
    return {**statement, "signature": key.sign(_SUCCESSION + canonical(statement)).hex()}


def statement_bytes(statement: Mapping[str, Any]) -> bytes:
    """Return the bytes of a decision that are signed."""
    return _DECISION + canonical(clean(dict(statement)))


def is_genuine(statement: Mapping[str, Any], signature: str, key: str) -> bool:
    """Return whether `key` signed exactly this decision."""
    return _is_signature_valid(key, signature, statement_bytes(statement))


def _is_signature_valid(key: str, signature: str, data: bytes) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), data)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class KeySuccession:
    """Tracks the signing key, starting from a trusted one, or from the first seen if `None`."""

    def __init__(self, use: str, key: Ed25519PublicKey | None) -> None:
        self.use, self.key = use, key
        self._successor: Ed25519PublicKey | None = None

    def accept_successor(self, statement: Any) -> bool:
        """Record an announced successor.

        Returns `False` if the current key did not sign this, or has already announced another.
        """
        if not isinstance(statement, Mapping) or self._successor is not None:
            return False
        fields = {name: str(statement.get(name)) for name in _SIGNED_FIELDS}
        if fields["use"] != self.use:
            return False
        if self.key is not None and fields["previous"] != public_hex(self.key):
            return False
        signed = _SUCCESSION + canonical(fields)
        if not _is_signature_valid(fields["previous"], str(statement.get("signature")), signed):
            return False
        self._successor = parse_public_key(fields["public"])
        return self._successor is not None

    def switch_to_successor(self) -> None:
        """Make the announced successor, if any, the current key."""
        self.key, self._successor = self._successor or self.key, None


def parse_public_key(key: str) -> Ed25519PublicKey | None:
    """Return the public key in hex `key`, or `None` if it is malformed."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except ValueError:
        return None


class DecisionSignatureChecker:
    """Check during a walk that decisions are signed with the announced key."""

    def __init__(self) -> None:
        self.first_broken: tuple[int, str] | None = None
        """First bad entry and its fault: `seal` or `succession`."""
        self._succession = KeySuccession(DECISION_KEYS, None)

    @property
    def key(self) -> str | None:
        """Return the key that signs decisions after the entries seen (hex), or `None` before the
        first.
        """
        return public_hex(self._succession.key) if self._succession.key else None

    def watch(self, entries: Iterable[AnyEntry]) -> Iterator[AnyEntry]:
        """Yield the entries unchanged, checking each that may concern a signature.

        Entries whose columns contradict their bytes are bad already, and may not even be readable.
        """
        for entry in entries:
            concerned = entry.kind in _WATCHED_KINDS or entry.may_hold("statement")
            if concerned and entry.consistent and (fault := self.fault(entry.parse())):
                self.first_broken = self.first_broken or (entry.seq, fault)
            yield entry

    def fault(self, entry: ChainEntry) -> str | None:
        """Return the fault of the next entry's signature or announcement, or `None`."""
        detail = entry.detail
        if entry.kind == SUCCESSION_KIND and detail.get("use") == DECISION_KEYS:
            if not self._succession.accept_successor(detail):
                return "succession"
            self._succession.switch_to_successor()
            return None
        if entry.kind not in SIGNED_KINDS and "statement" not in detail:
            return None
        return None if self._is_signed(entry) else "seal"

    def _is_signed(self, entry: ChainEntry) -> bool:
        statement, key = entry.detail.get("statement"), entry.detail.get("key")
        if not isinstance(statement, Mapping) or type(key) is not str:
            return False
        if (
            statement.get("chain_head") != entry.previous_hash
            or statement.get("task") != entry.task_id
        ):
            return False
        if not is_genuine(statement, str(entry.detail.get("signature")), key):
            return False
        if self._succession.key is None:
            self._succession.key = parse_public_key(key)
        return self._succession.key is not None and key == public_hex(self._succession.key)
