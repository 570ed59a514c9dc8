"""Which keys sign: checkpoints of the record, and people's decisions; and who follows them.

A key is replaced by an entry that announces its successor and that the key itself has signed. For
checkpoints the successor signs after the one with which its predecessor sealed that entry; for
decisions at once. Nobody else can announce a key, and no key that was not announced counts.
Pure: the standard library, the chain and the signature library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guardia.board.audit.chain import ChainEntry, canonical, clean

SUCCESSION_KIND = "key_succeeded"
"""Kind of the entry that announces a successor."""
CHECKPOINT_KEYS, DECISION_KEYS = "record", "decisions"
"""What a key is for."""
_SUCCESSION = b"guardia.key.succession.v1\n"
_DECISION = b"guardia.decision.v1\n"
_SIGNED_FIELDS = ("use", "previous", "public")
SIGNED_KINDS = frozenset({"approved", "rejected", "changes_asked"})
"""Kinds of entries that hold a sealed statement; others may."""
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def public_hex(key: Ed25519PublicKey) -> str:
    """A public key as entries name it (hex)."""
    return key.public_bytes(*_RAW).hex()


def build_announcement(use: str, key: Ed25519PrivateKey, heir: Ed25519PublicKey) -> dict[str, str]:
    """What the entry says by which ``key`` hands over to ``heir``."""
    said = {"use": use, "previous": public_hex(key.public_key()), "public": public_hex(heir)}
    return {**said, "signature": key.sign(_SUCCESSION + canonical(said)).hex()}


def statement_bytes(said: Mapping[str, Any]) -> bytes:
    """The bytes of a decision that are signed."""
    return _DECISION + canonical(clean(dict(said)))


def is_genuine(said: Mapping[str, Any], signature: str, key: str) -> bool:
    """Whether ``key`` signed exactly this decision."""
    return _is_signature_valid(key, signature, statement_bytes(said))


def _is_signature_valid(key: str, signature: str, data: bytes) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), data)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class KeySuccession:
    """Which key signs now, from a trusted first one on; ``None``: the first that is seen."""

    def __init__(self, use: str, key: Ed25519PublicKey | None) -> None:
        self.use, self.key = use, key
        self._heir: Ed25519PublicKey | None = None

    def announced(self, said: Any) -> bool:
        """Take note of a successor; ``False`` where the present key has not signed this, or has
        announced another before."""
        if not isinstance(said, Mapping) or self._heir is not None:
            return False
        spoken = {name: str(said.get(name)) for name in _SIGNED_FIELDS}
        if spoken["use"] != self.use:
            return False
        if self.key is not None and spoken["previous"] != public_hex(self.key):
            return False
        signed = _SUCCESSION + canonical(spoken)
        if not _is_signature_valid(spoken["previous"], str(said.get("signature")), signed):
            return False
        self._heir = parse_public_key(spoken["public"])
        return self._heir is not None

    def takes_over(self) -> None:
        """From now on the successor signs, where one was announced."""
        self.key, self._heir = self._heir or self.key, None


def parse_public_key(key: str) -> Ed25519PublicKey | None:
    """The key of such hex, or ``None`` where it is none."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except ValueError:
        return None


class DecisionSignatureChecker:
    """Looks at entries as they pass: decisions are sealed with the key that was announced."""

    def __init__(self) -> None:
        self.broken: tuple[int, str] | None = None
        """First entry that does not hold, and why: ``seal`` or ``succession``."""
        self._line = KeySuccession(DECISION_KEYS, None)

    @property
    def key(self) -> str | None:
        """The key that seals decisions after what was seen (hex); ``None`` before the first."""
        return public_hex(self._line.key) if self._line.key else None

    def watch(self, links: Iterable[ChainEntry]) -> Iterator[ChainEntry]:
        """The same links, looked at."""
        for link in links:
            fault = self.fault(link)
            if fault and self.broken is None:
                self.broken = (link.seq, fault)
            yield link

    def fault(self, link: ChainEntry) -> str | None:
        """Why the next entry's seal or announcement does not hold, or ``None``."""
        detail = link.detail
        if link.kind == SUCCESSION_KIND and detail.get("use") == DECISION_KEYS:
            if not self._line.announced(detail):
                return "succession"
            self._line.takes_over()
            return None
        if link.kind not in SIGNED_KINDS and "statement" not in detail:
            return None
        return None if self._sealed(link) else "seal"

    def _sealed(self, link: ChainEntry) -> bool:
        said, key = link.detail.get("statement"), link.detail.get("key")
        if not isinstance(said, Mapping) or type(key) is not str:
            return False
        if said.get("chain_head") != link.previous_hash or said.get("task") != link.task_id:
            return False
        if not is_genuine(said, str(link.detail.get("signature")), key):
            return False
        if self._line.key is None:
            self._line.key = parse_public_key(key)
        return self._line.key is not None and key == public_hex(self._line.key)
