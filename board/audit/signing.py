"""The seal under a person's decision: an Ed25519 signature by this installation's key.

Signed is ``{issue, task, plan hash, step, person, role, verdict, chain head}`` as canonical bytes,
in the transaction that appends the entry, so that a decision cannot be moved to another plan,
person or place in the record without the key, which lies outside the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardia.board.audit.signing_keys import public_hex, statement_bytes
from guardia.errors import Misconfigured, ProgrammerError
from guardia.i18n import t
from guardia.org.credential_store import CredentialStore

KEY_NAME = "decision-key"
NEXT_KEY_NAME = f"{KEY_NAME}.next"
"""The successor, from before it is announced until it has the place of the first."""
KeyRing = tuple[Ed25519PrivateKey, ...]


class DecisionSigner:
    """The installation's keys: the present one, and while it is being replaced its successor."""

    def __init__(self, read: Callable[[], KeyRing]) -> None:
        self._read, self._ring = read, read()

    @classmethod
    def without_key(cls) -> DecisionSigner:
        """Return a signer of a process that holds no key: it raises `ProgrammerError`."""
        return cls(tuple)

    @classmethod
    def from_store(cls, keys: CredentialStore) -> DecisionSigner:
        """The installation's key, made at its first use."""

        def read() -> KeyRing:
            present = keys.get_or_create(KEY_NAME, generate_key)
            return tuple(map(parse_key, (present, *keys.find(NEXT_KEY_NAME))))

        return cls(read)

    @property
    def public(self) -> str:
        """The public half of the present key, hex."""
        return public_hex(self._ring[0].public_key())

    def sign(self, statement: Mapping[str, Any], announced: str | None) -> dict[str, str]:
        """Signature and public key, hex, as the entry keeps them.

        ``announced``: the key that the record has announced last, if any; only that one counts.
        """
        key = self.key(announced)
        signature = key.sign(statement_bytes(statement)).hex()
        return {"signature": signature, "key": public_hex(key.public_key())}

    def key(self, announced: str | None) -> Ed25519PrivateKey:
        """The key that signs now; ``Misconfigured`` where this host has not got it."""
        if not self._ring:
            raise ProgrammerError(why="this process holds no key that signs decisions")
        if announced is None:
            return self._ring[0]
        found = self._find_key(announced)
        if found is None:
            # Replaced since we read: seldom, so nothing is read again while nothing changes.
            self._ring = self._read()
            found = self._find_key(announced)
        if found is None:
            raise Misconfigured(what=KEY_NAME, why=t("audit.other_seal", key=announced[:16]))
        return found

    def _find_key(self, public: str) -> Ed25519PrivateKey | None:
        return next((k for k in self._ring if public_hex(k.public_key()) == public), None)


def generate_key() -> str:
    """A new key as the store keeps it."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def parse_key(encoded: str) -> Ed25519PrivateKey:
    """The key that ``kept`` is; ``Misconfigured`` where it is none."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(encoded))
    except ValueError as error:
        raise Misconfigured(what=KEY_NAME, why=t("audit.bad_key")) from error
