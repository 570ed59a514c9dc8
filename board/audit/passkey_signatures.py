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

from guardia.board.audit.canonical import canonical
from guardia.board.audit.chain import AnyEntry, ChainEntry
from guardia.board.audit.kinds import EntryKind

ES256, EDDSA, RS256 = -7, -8, -257
"""COSE numbers of the algorithms that a passkey may use."""
DEMANDED = "passkey"
"""Value of `signature` in an approval policy and in the entry of a plan that needs passkeys."""
REGISTERED = EntryKind.PASSKEY_REGISTERED
ENDED_KINDS = frozenset({EntryKind.PASSKEY_REMOVED, EntryKind.PASSKEY_CLONED})
PASSKEY_KINDS = ENDED_KINDS | {REGISTERED}
HEAD_WINDOW = 65_536
"""How many entries may follow the named head before the decision: it bounds a reader's memory."""
_PLANNED = frozenset({EntryKind.PLANNED, EntryKind.WAIVED, EntryKind.STANDING_USED})
_USER_PRESENT, _USER_VERIFIED = 0x01, 0x04
_DECISIONS = frozenset({EntryKind.APPROVED, EntryKind.REJECTED, EntryKind.CHANGES_ASKED})
_WATCHED = PASSKEY_KINDS | _PLANNED | _DECISIONS | {EntryKind.STARTED}
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


class KeyRegister:
    """The keys that can sign at one position of a walk along the log."""

    def __init__(self) -> None:
        self._keys: dict[str, RegisteredKey | None] = {}
        """Keys by credential; `None` once removed."""

    def __bool__(self) -> bool:
        """Return whether any key was ever registered."""
        return bool(self._keys)

    def apply(self, entry: ChainEntry) -> bool:
        """Register or remove the key of the next entry about passkeys.

        Returns `False` if the entry is malformed, or if it registers a known key or removes an
        unknown one. The signature of a registration's statement is checked by the caller.
        """
        if entry.kind == REGISTERED:
            key = registered_key(entry)
            if key is None or key.credential in self._keys:
                return False
            self._keys[key.credential] = key
            return True
        credential = str(entry.detail.get("credential"))
        known = self._keys.get(credential) is not None
        self._keys[credential] = None
        return known

    def signer_of(self, entry: ChainEntry) -> RegisteredKey | None:
        """Return the key that signed exactly the decision in `entry`, or `None`.

        The caller checks that the log had the head that the challenge names, and that no earlier
        decision used the challenge.
        """
        given, statement = entry.detail.get("passkey"), entry.detail.get("statement")
        if not isinstance(given, Mapping) or not isinstance(statement, Mapping):
            return None
        key = self._keys.get(str(given.get("credential")))
        if key is None or not is_decision_signed(entry, key):
            return None
        # The statement names the challenge, so that a signature cannot be cut off unnoticed.
        return key if statement.get("passkey") == challenge_in(entry) else None


def challenge_in(entry: ChainEntry) -> str:
    """Return the challenge of a decision's passkey signature (base64url), which must have one."""
    return encode(challenge_of(entry.detail["passkey"]["content"]))


class PasskeyChecker:
    """Check during a walk that decisions carry every passkey signature that their plan demands.

    A signature counts if its key was registered and not removed before, its challenge names an
    earlier entry of this log, and no earlier decision used it. Check the signatures of statements
    with `DecisionSignatureChecker` as well.
    """

    def __init__(self) -> None:
        self.first_broken: int | None = None
        """The first bad entry."""
        self._register = KeyRegister()
        self._heads: deque[str] = deque(maxlen=HEAD_WINDOW)
        self._used: deque[str] = deque(maxlen=HEAD_WINDOW)
        self._demanding: dict[int, str] = {}
        """Hash of the present plan by task, for plans that need passkeys."""

    def watch(self, entries: Iterable[AnyEntry]) -> Iterator[AnyEntry]:
        """Yield the entries unchanged, checking each."""
        for entry in entries:
            if not self.is_valid(entry) and self.first_broken is None:
                self.first_broken = entry.seq
            yield entry

    def is_valid(self, entry: AnyEntry) -> bool:
        """Return whether the next entry satisfies the rules."""
        # An entry whose columns contradict its bytes is bad already.
        unconcerned = entry.kind not in _WATCHED or not entry.consistent
        valid = unconcerned or self._check(entry.parse())
        # Before the first key is registered, no challenge can be issued.
        if self._register:
            self._heads.append(entry.current_hash)
        return valid

    def _check(self, entry: ChainEntry) -> bool:
        if entry.kind in PASSKEY_KINDS:
            return self._register.apply(entry)
        if entry.kind in _PLANNED:
            self._expect(entry)
        elif entry.kind == EntryKind.APPROVED or "passkey" in entry.detail:
            return self._check_decision(entry)
        else:
            self._demanding.pop(entry.task_id or 0, None)
        return True

    def _expect(self, entry: ChainEntry) -> None:
        self._demanding.pop(entry.task_id or 0, None)
        if entry.detail.get("signature") == DEMANDED:
            self._demanding[entry.task_id or 0] = str(entry.detail.get("plan_hash"))

    def _check_decision(self, entry: ChainEntry) -> bool:
        if "passkey" not in entry.detail:
            return self._may_be_unsigned(entry)
        if self._register.signer_of(entry) is None:
            return False
        challenge, head = challenge_in(entry), entry.detail["passkey"]["content"].get("head")
        fresh = head in self._heads and challenge not in self._used
        self._used.append(challenge)
        return fresh

    def _may_be_unsigned(self, entry: ChainEntry) -> bool:
        statement = entry.detail.get("statement")
        if not isinstance(statement, Mapping) or "passkey" in statement:
            return False
        demanded = self._demanding.get(entry.task_id or 0)
        return demanded is None or demanded != statement.get("plan_hash")
