"""Passkey signatures of decisions: the challenge that a device signs, and its verification.

A device signs the SHA-256 of the canonical form of `{issue, task, plan_hash, person, verdict,
head, expiry, nonce}`, in which `head` is the end of the audit log at that moment. The entry of the
decision holds these values and the answer of the device, and the entry of the registration holds
the public key: so a reader of the log needs nothing else. Pure: the standard library, the chain
and the signature library.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from guardia.board.audit.chain import ChainEntry, canonical
from guardia.board.audit.kinds import EntryKind

ES256, EDDSA, RS256 = -7, -8, -257
"""COSE numbers of the algorithms that a passkey may use."""
DEMANDED = "passkey"
"""Value of `signature` in an approval policy and in the entry of a plan that needs passkeys."""
REGISTERED = EntryKind.PASSKEY_REGISTERED
ENDED_KINDS = frozenset({EntryKind.PASSKEY_REMOVED, EntryKind.PASSKEY_CLONED})
PASSKEY_KINDS = ENDED_KINDS | {REGISTERED}
HEAD_WINDOW = 65_536
"""Number of entries that may follow the named head before the decision; bounds a reader's memory."""
_PLANNED = frozenset({EntryKind.PLANNED, EntryKind.WAIVED})
_CLOSED = frozenset({EntryKind.STARTED, EntryKind.REJECTED, EntryKind.CHANGES_ASKED})
_USER_PRESENT, _USER_VERIFIED = 0x01, 0x04
_KEY_FIELDS = {"person": str, "credential": str, "public_key": str, "algorithm": int, "rp_id": str}


def encode(data: bytes) -> str:
    """Return bytes as WebAuthn writes them: base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url text. Raises `ValueError` for any other text."""
    found = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encode(found) != text:
        raise ValueError("not base64url")
    return found


def challenge_of(content: Mapping[str, Any]) -> bytes:
    """Return the challenge for the values that a decision concerns."""
    return hashlib.sha256(canonical(dict(content))).digest()


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key as the entry of its registration holds it."""

    person: str
    credential: str
    public_key: str
    """SubjectPublicKeyInfo (DER, hex)."""
    algorithm: int
    """COSE number."""
    rp_id: str
    """Host name of the board at registration."""


def registered_key(entry: ChainEntry) -> RegisteredKey | None:
    """Return the key that an entry registers, or `None` if the entry is malformed.

    The caller checks the signature of its statement.
    """
    statement = entry.detail.get("statement")
    if not isinstance(statement, Mapping):
        return None
    fields = {name: statement.get(name) for name in _KEY_FIELDS}
    if any(type(fields[name]) is not kind for name, kind in _KEY_FIELDS.items()):
        return None
    return RegisteredKey(**fields)  # type: ignore[arg-type]


def is_decision_signed(entry: ChainEntry, key: RegisteredKey) -> bool:
    """Return whether the owner of `key` signed exactly the decision in `entry` with it.

    Neither the head that the challenge names nor the validity of the key is checked here.
    """
    given, statement = entry.detail.get("passkey"), entry.detail.get("statement")
    if not isinstance(given, Mapping) or not isinstance(statement, Mapping):
        return False
    content = given.get("content")
    if not isinstance(content, Mapping) or given.get("credential") != key.credential:
        return False
    expected = {
        "issue": entry.sr_id,
        "task": entry.task_id,
        "plan_hash": statement.get("plan_hash"),
        "person": key.person,
        "verdict": statement.get("verdict"),
    }
    if any(content.get(name) != value for name, value in expected.items()):
        return False
    if statement.get("person") != key.person:
        return False
    return is_assertion_valid(key, given)


def is_assertion_valid(key: RegisteredKey, given: Mapping[str, Any]) -> bool:
    """Return whether the device signed the challenge of `given` and had verified its user."""
    try:
        challenge = challenge_of(given["content"])
        data, client_data, signature = (
            decode(given[name]) for name in ("authenticator_data", "client_data", "signature")
        )
        if not _is_client_data(json.loads(client_data), challenge, key.rp_id):
            return False
        if not _is_user_verified(data, key.rp_id):
            return False
        _verify(key, signature, data + hashlib.sha256(client_data).digest())
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_client_data(client: Any, challenge: bytes, rp_id: str) -> bool:
    return (
        client["type"] == "webauthn.get"
        and client["challenge"] == encode(challenge)
        and urlsplit(client["origin"]).hostname == rp_id
        and not client.get("crossOrigin", False)
    )


def _is_user_verified(data: bytes, rp_id: str) -> bool:
    flags = _USER_PRESENT | _USER_VERIFIED
    known = data[:32] == hashlib.sha256(rp_id.encode()).digest()
    return known and len(data) >= 37 and data[32] & flags == flags


def _verify(key: RegisteredKey, signature: bytes, signed: bytes) -> None:
    public = serialization.load_der_public_key(bytes.fromhex(key.public_key))
    if key.algorithm == ES256 and isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    elif key.algorithm == EDDSA and isinstance(public, Ed25519PublicKey):
        public.verify(signature, signed)
    elif key.algorithm == RS256 and isinstance(public, RSAPublicKey):
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise UnsupportedAlgorithm("not an algorithm of a passkey")


class PasskeyChecker:
    """Check during a walk that decisions carry every passkey signature that their plan demands.

    A signature counts if its key was registered and not removed before, its challenge names an
    earlier entry of this log, and no earlier decision used it. Check the signatures of statements
    with `DecisionSignatureChecker` as well.
    """

    def __init__(self) -> None:
        self.first_broken: int | None = None
        """The first bad entry."""
        self._keys: dict[str, RegisteredKey | None] = {}
        """Keys by credential; `None` once removed."""
        self._heads: deque[str] = deque(maxlen=HEAD_WINDOW)
        self._used: deque[str] = deque(maxlen=HEAD_WINDOW)
        self._demanding: dict[int, str] = {}
        """Hash of the present plan by task, for plans that need passkeys."""

    def watch(self, entries: Iterable[ChainEntry]) -> Iterator[ChainEntry]:
        """Yield the entries unchanged, checking each."""
        for entry in entries:
            if not self.is_valid(entry) and self.first_broken is None:
                self.first_broken = entry.seq
            yield entry

    def is_valid(self, entry: ChainEntry) -> bool:
        """Return whether the next entry satisfies the rules."""
        valid = self._check(entry)
        # Before the first key is registered, no challenge can be issued.
        if self._keys:
            self._heads.append(entry.current_hash)
        return valid

    def _check(self, entry: ChainEntry) -> bool:
        if entry.kind == REGISTERED:
            return self._register(entry)
        if entry.kind in ENDED_KINDS:
            return self._end(str(entry.detail.get("credential")))
        if entry.kind in _PLANNED:
            self._expect(entry)
        elif entry.kind == EntryKind.APPROVED or "passkey" in entry.detail:
            return self._check_decision(entry)
        elif entry.kind in _CLOSED and entry.task_id is not None:
            self._demanding.pop(entry.task_id, None)
        return True

    def _register(self, entry: ChainEntry) -> bool:
        key = registered_key(entry)
        if key is None or key.credential in self._keys:
            return False
        self._keys[key.credential] = key
        return True

    def _end(self, credential: str) -> bool:
        known = self._keys.get(credential) is not None
        self._keys[credential] = None
        return known

    def _expect(self, entry: ChainEntry) -> None:
        if entry.task_id is None:
            return
        if entry.detail.get("signature") == DEMANDED:
            self._demanding[entry.task_id] = str(entry.detail.get("plan_hash"))
        else:
            self._demanding.pop(entry.task_id, None)

    def _check_decision(self, entry: ChainEntry) -> bool:
        given, statement = entry.detail.get("passkey"), entry.detail.get("statement")
        if given is None:
            demanded = self._demanding.get(entry.task_id or 0)
            approved = statement.get("plan_hash") if isinstance(statement, Mapping) else None
            promised = isinstance(statement, Mapping) and "passkey" in statement
            return not promised and (demanded is None or demanded != approved)
        key = self._keys.get(str(given.get("credential"))) if isinstance(given, Mapping) else None
        if key is None or not is_decision_signed(entry, key):
            return False
        challenge = encode(challenge_of(given["content"]))
        fresh = given["content"].get("head") in self._heads and challenge not in self._used
        self._used.append(challenge)
        return fresh and isinstance(statement, Mapping) and statement.get("passkey") == challenge
