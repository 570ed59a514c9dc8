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

from guardia.board.audit.chain import Link, canonical, clean

KIND = "key_succeeded"
"""Kind of the entry that announces a successor."""
RECORD, DECISIONS = "record", "decisions"
"""What a key is for."""
_SUCCESSION = b"guardia.key.succession.v1\n"
_DECISION = b"guardia.decision.v1\n"
_SAID = ("use", "previous", "public")
SEALED = frozenset({"approved", "rejected", "changes_asked"})
"""Kinds of entries that hold a sealed statement; others may."""
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def raw(key: Ed25519PublicKey) -> str:
    """A public key as entries name it (hex)."""
    return key.public_bytes(*_RAW).hex()


def announcement(use: str, key: Ed25519PrivateKey, heir: Ed25519PublicKey) -> dict[str, str]:
    """What the entry says by which ``key`` hands over to ``heir``."""
    said = {"use": use, "previous": raw(key.public_key()), "public": raw(heir)}
    return {**said, "signature": key.sign(_SUCCESSION + canonical(said)).hex()}


def statement_bytes(said: Mapping[str, Any]) -> bytes:
    """The bytes of a decision that are signed."""
    return _DECISION + canonical(clean(dict(said)))


def genuine(said: Mapping[str, Any], signature: str, key: str) -> bool:
    """Whether ``key`` signed exactly this decision."""
    return _holds(key, signature, statement_bytes(said))


def _holds(key: str, signature: str, data: bytes) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), data)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class Succession:
    """Which key signs now, from a trusted first one on; ``None``: the first that is seen."""

    def __init__(self, use: str, key: Ed25519PublicKey | None) -> None:
        self.use, self.key = use, key
        self._heir: Ed25519PublicKey | None = None

    def announced(self, said: Any) -> bool:
        """Take note of a successor; ``False`` where the present key has not signed this, or has
        announced another before."""
        if not isinstance(said, Mapping) or self._heir is not None:
            return False
        spoken = {name: str(said.get(name)) for name in _SAID}
        if spoken["use"] != self.use:
            return False
        if self.key is not None and spoken["previous"] != raw(self.key):
            return False
        signed = _SUCCESSION + canonical(spoken)
        if not _holds(spoken["previous"], str(said.get("signature")), signed):
            return False
        self._heir = public(spoken["public"])
        return self._heir is not None

    def takes_over(self) -> None:
        """From now on the successor signs, where one was announced."""
        self.key, self._heir = self._heir or self.key, None


def public(key: str) -> Ed25519PublicKey | None:
    """The key of such hex, or ``None`` where it is none."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except ValueError:
        return None


class Seals:
    """Looks at entries as they pass: decisions are sealed with the key that was announced."""

    def __init__(self) -> None:
        self.broken: tuple[int, str] | None = None
        """First entry that does not hold, and why: ``seal`` or ``succession``."""
        self._line = Succession(DECISIONS, None)

    @property
    def key(self) -> str | None:
        """The key that seals decisions after what was seen (hex); ``None`` before the first."""
        return raw(self._line.key) if self._line.key else None

    def watch(self, links: Iterable[Link]) -> Iterator[Link]:
        """The same links, looked at."""
        for link in links:
            fault = self.fault(link)
            if fault and self.broken is None:
                self.broken = (link.seq, fault)
            yield link

    def fault(self, link: Link) -> str | None:
        """Why the next entry's seal or announcement does not hold, or ``None``."""
        detail = link.detail
        if link.kind == KIND and detail.get("use") == DECISIONS:
            if not self._line.announced(detail):
                return "succession"
            self._line.takes_over()
            return None
        if link.kind not in SEALED and "statement" not in detail:
            return None
        return None if self._sealed(link) else "seal"

    def _sealed(self, link: Link) -> bool:
        said, key = link.detail.get("statement"), link.detail.get("key")
        if not isinstance(said, Mapping) or type(key) is not str:
            return False
        if said.get("chain_head") != link.previous_hash or said.get("task") != link.task_id:
            return False
        if not genuine(said, str(link.detail.get("signature")), key):
            return False
        if self._line.key is None:
            self._line.key = public(key)
        return self._line.key is not None and key == raw(self._line.key)
