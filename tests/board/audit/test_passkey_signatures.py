"""Passkey signatures in the audit log, verified from its entries alone."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.audit.chain import ORIGIN, ChainEntry
from guardia.board.audit.passkey_signatures import (
    EDDSA,
    ES256,
    RS256,
    PasskeyChecker,
    challenge_of,
    decode,
    encode,
)

START = datetime(2026, 11, 20, 5, tzinfo=UTC)
RP_ID = "board.example.test"
PLAN = "1" * 64
P256, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
SIGN: dict[int, tuple[Any, Callable[[bytes], bytes]]] = {
    ES256: (P256, lambda data: P256.sign(data, ec.ECDSA(hashes.SHA256()))),
    RS256: (RSA, lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256())),
    EDDSA: ((ED := Ed25519PrivateKey.generate()), ED.sign),
}


@dataclass
class Log:
    """A log in which the lead has one passkey."""

    algorithm: int = ES256
    entries: list[ChainEntry] = field(default_factory=list)

    def add(self, kind: str, task: int | None = None, **detail: Any) -> ChainEntry:
        n = len(self.entries) + 1
        before = self.entries[-1].current_hash if self.entries else ORIGIN
        time = START + timedelta(seconds=n)
        entry = ChainEntry(n, time, "x", kind, task, task, "", detail, before)
        self.entries.append(replace(entry, current_hash=entry.hash()))
        return self.entries[-1]

    def register(self, **changed: Any) -> ChainEntry:
        public = SIGN[self.algorithm][0].public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()
        statement = {
            "person": "lead",
            "credential": "AAAA",
            "public_key": spki,
            "algorithm": self.algorithm,
            "rp_id": RP_ID,
        }
        return self.add("passkey_registered", statement={**statement, **changed})

    def plan(self, task: int = 1, signature: str | None = "passkey") -> ChainEntry:
        more = {"signature": signature} if signature else {}
        return self.add("planned", task, plan_hash=PLAN, **more)

    def signed(self, task: int = 1, client: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what an approval of the lead holds."""
        content = {
            "issue": task,
            "task": task,
            "plan_hash": PLAN,
            "person": "lead",
            "verdict": "approve",
            "head": self.entries[-1].current_hash,
            "expiry": 1,
            "nonce": "0",
        }
        challenge = encode(challenge_of(content))
        names = {"type": "webauthn.get", "challenge": challenge, "origin": f"https://{RP_ID}"}
        client_data = json.dumps({**names, **(client or {})}).encode()
        data = hashlib.sha256(RP_ID.encode()).digest() + struct.pack(">BI", 5, 1)
        signature = SIGN[self.algorithm][1](data + hashlib.sha256(client_data).digest())
        passkey = {
            "credential": "AAAA",
            "content": content,
            "authenticator_data": encode(data),
            "client_data": encode(client_data),
            "signature": encode(signature),
        }
        return {"statement": statement(passkey=challenge), "passkey": passkey}

    def approve(self, task: int = 1, **more: Any) -> ChainEntry:
        return self.add("approved", task, **self.signed(task, **more))

    def broken(self) -> int | None:
        checker = PasskeyChecker()
        assert list(checker.watch(self.entries)) == self.entries
        return checker.first_broken


def statement(**more: Any) -> dict[str, Any]:
    return {"plan_hash": PLAN, "person": "lead", "verdict": "approve", **more}


def registered(algorithm: int = ES256) -> Log:
    log = Log(algorithm)
    log.register()
    return log


@pytest.mark.parametrize("algorithm", SIGN)
def test_a_signature_of_each_algorithm_counts(algorithm: int) -> None:
    log = registered(algorithm)
    log.plan()
    log.approve()
    assert log.broken() is None


@pytest.mark.parametrize("algorithm", SIGN)
@pytest.mark.parametrize("named", [*SIGN, -8000])
def test_a_key_counts_only_under_its_own_algorithm(algorithm: int, named: int) -> None:
    log = Log(algorithm)
    log.register(algorithm=named)
    log.plan()
    entry = log.approve()
    assert log.broken() == (None if named == algorithm else entry.seq)


@pytest.mark.parametrize(
    "client",
    [
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
        {"origin": "https://evil.test"},
        {"origin": f"https://{RP_ID}.evil.test"},
        {"origin": 1},
        {"crossOrigin": True},
    ],
)
def test_client_data_of_another_ceremony_does_not_count(client: dict[str, Any]) -> None:
    log = registered()
    log.plan()
    entry = log.approve(client=client)
    assert log.broken() == entry.seq


def test_another_port_of_the_same_host_counts() -> None:
    log = registered()
    log.plan()
    log.approve(client={"origin": f"https://{RP_ID}:8443", "crossOrigin": False, "more": [1]})
    assert log.broken() is None


def test_a_challenge_counts_once() -> None:
    log = registered()
    log.plan()
    again = log.approve().detail
    assert log.broken() is None
    assert log.add("approved", 1, **again).seq == log.broken()


def test_a_plan_demands_passkeys_until_another_is_filed_or_it_has_begun() -> None:
    log = registered()
    log.plan()
    log.plan(2)
    log.plan(2, signature=None)
    log.add("approved", 2, statement=statement())
    log.add("approved", 1, statement=statement(plan_hash="2" * 64))  # of a plan before
    assert log.broken() is None
    bad = log.add("approved", 1, statement=statement())
    assert log.broken() == bad.seq
    for ending in ("started", "rejected", "changes_asked"):
        log = registered()
        log.plan()
        log.add(ending, 1, statement=statement(verdict="reject"))
        log.add("approved", 1, statement=statement())
        assert log.broken() is None


def test_a_refusal_may_be_signed_too_and_is_then_checked() -> None:
    log = registered()
    log.plan()
    signed = log.signed()
    log.add("rejected", 1, **signed)
    assert log.broken() is None
    signed = {**signed, "passkey": {**signed["passkey"], "signature": encode(b"0" * 70)}}
    assert log.add("rejected", 1, **signed).seq == log.broken()


def test_a_removed_key_signs_no_longer_and_never_returns() -> None:
    for kind in ("passkey_removed", "passkey_cloned"):
        log = registered()
        log.plan()
        log.approve()
        log.add(kind, credential="AAAA", person="lead")
        log.plan(2)
        assert log.approve(2).seq == log.broken()
        log.entries.pop()
        assert log.register().seq == log.broken()
        log.entries.pop()
        assert log.add(kind, credential="AAAA", person="lead").seq == log.broken()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("person", None),
        ("credential", 1),
        ("public_key", None),
        ("public_key", "00"),
        ("public_key", "zz"),
        ("algorithm", True),
        ("algorithm", "-7"),
        ("rp_id", None),
    ],
)
def test_a_malformed_registration_gives_no_key(name: str, value: Any) -> None:
    log = Log()
    log.register(**{name: value})
    log.plan()
    log.approve()
    assert log.broken() in {1, 3}


@pytest.mark.parametrize("detail", [{}, {"statement": None}, {"statement": []}])
def test_a_registration_needs_a_statement(detail: dict[str, Any]) -> None:
    log = Log()
    log.add("passkey_registered", **detail)
    assert log.broken() == 1


@pytest.mark.parametrize("name", ["statement", "passkey"])
@pytest.mark.parametrize("value", [None, [], 1, {}, "x"])
def test_a_malformed_decision_is_found(name: str, value: Any) -> None:
    log = registered()
    log.plan()
    entry = log.add("approved", 1, **{**log.signed(), name: value})
    assert log.broken() == entry.seq


@pytest.mark.slow
@given(
    st.sampled_from(["content", "authenticator_data", "client_data", "signature", "credential"]),
    st.one_of(st.none(), st.integers(), st.text(max_size=80), st.lists(st.integers(), max_size=2)),
)
def test_no_value_in_place_of_another_breaks_the_reader(name: str, value: Any) -> None:
    log = registered()
    log.plan()
    signed = log.signed()
    signed["passkey"][name] = value
    assert log.add("approved", 1, **signed).seq == log.broken()


@given(st.binary(max_size=60))
def test_base64url_has_one_form(data: bytes) -> None:
    assert decode(encode(data)) == data
    for other in (encode(data) + "=", encode(data) + "\n", "é"):
        with pytest.raises(ValueError):
            decode(other)
