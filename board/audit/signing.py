"""Sign people's decisions with this installation's Ed25519 key.

The signature covers `{issue, task, plan hash, step, person, role, verdict, chain head}` as
canonical bytes and is made in the transaction that appends the entry. Without the key, which is
stored outside the database, a decision cannot be moved to another plan, person or place in the
audit log.
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
"""Name of the successor, from before its announcement until it replaces the current key."""
KeyRing = tuple[Ed25519PrivateKey, ...]


class DecisionSigner:
    """The installation's keys: the current one and, during a rotation, its successor."""

    def __init__(self, read: Callable[[], KeyRing]) -> None:
        self._read, self._ring = read, read()

    @classmethod
    def without_key(cls) -> DecisionSigner:
        """Return a signer of a process that holds no key: signing raises `ProgrammerError`."""
        return cls(tuple)

    @classmethod
    def from_store(cls, keys: CredentialStore) -> DecisionSigner:
        """Return a signer with the installation's key, which is created on first use."""

        def read() -> KeyRing:
            present = keys.get_or_create(KEY_NAME, generate_key)
            return tuple(map(parse_key, (present, *keys.find(NEXT_KEY_NAME))))

        return cls(read)

    @property
    def public(self) -> str:
        """Return the public half of the current key (hex)."""
        return public_hex(self._ring[0].public_key())

    def sign(self, statement: Mapping[str, Any], announced: str | None) -> dict[str, str]:
        """Return signature and public key (hex) as the entry stores them.

        `announced`: the key last announced in the audit log, if any; only that one is valid.
        """
        key = self.key(announced)
        signature = key.sign(statement_bytes(statement)).hex()
        return {"signature": signature, "key": public_hex(key.public_key())}

    def key(self, announced: str | None) -> Ed25519PrivateKey:
        """Return the key that signs now. Raises `Misconfigured` if this host does not have it."""
        if not self._ring:
            raise ProgrammerError(why="this process holds no key that signs decisions")
        if announced is None:
            return self._ring[0]
        found = self._find_key(announced)
        if found is None:
            # Rotated since the last read. Rotations are rare, so the store is only read on a
            # miss.
            self._ring = self._read()
            found = self._find_key(announced)
        if found is None:
            raise Misconfigured(what=KEY_NAME, why=t("audit.other_seal", key=announced[:16]))
        return found

    def _find_key(self, public: str) -> Ed25519PrivateKey | None:
        return next((k for k in self._ring if public_hex(k.public_key()) == public), None)


def generate_key() -> str:
    """Return a new key in the store's encoding."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def parse_key(encoded: str) -> Ed25519PrivateKey:
    """Return the key that `encoded` holds. Raises `Misconfigured` if it is not a key."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(encoded))
    except ValueError as error:
        raise Misconfigured(what=KEY_NAME, why=t("audit.bad_key")) from error
