"""A software authenticator: makes real WebAuthn registrations and assertions (ES256)."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from guardia.board.audit.passkey_signatures import decode, encode

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftAuthenticator:
    """One device with one key. `step` is what its counter grows by with each signature."""

    origin: str
    rp_id: str
    counter: int = 1
    step: int = 1
    verifies_user: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential: bytes = field(default_factory=lambda: os.urandom(16))

    def create(self, options: dict[str, Any], **client: Any) -> dict[str, Any]:
        """Answer the options of a registration, as `credential.toJSON()` writes it."""
        numbers = self.key.public_key().public_numbers()
        cose = encode_cbor(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        )
        attested = bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + cose
        data = self._authenticator_data(_ATTESTED) + attested
        client_data = self._client_data("webauthn.create", options, client)
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(clientDataJSON=client_data, attestationObject=attestation)

    def get(self, options: dict[str, Any], **client: Any) -> dict[str, Any]:
        """Answer the options of a signature, as `credential.toJSON()` writes it."""
        self.counter += self.step
        data = self._authenticator_data()
        client_data = self._client_data("webauthn.get", options, client)
        signed = data + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client_data, authenticatorData=data, signature=signature)

    def _authenticator_data(self, more: int = 0) -> bytes:
        flags = _PRESENT | (_VERIFIED if self.verifies_user else 0) | more
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(
            ">BI", flags, self.counter
        )

    def _client_data(self, kind: str, options: dict[str, Any], more: dict[str, Any]) -> bytes:
        client = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": False,
            # Browsers add such a key at times: readers must not compare the text.
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        }
        return json.dumps({**client, **more}).encode()

    def _answer(self, **response: bytes) -> dict[str, Any]:
        name = encode(self.credential)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {key: encode(value) for key, value in response.items()},
            "clientExtensionResults": {},
        }


def altered(answer: dict[str, Any], name: str, at: int = -1) -> dict[str, Any]:
    """Return an answer in which one byte of a field differs."""
    data = bytearray(decode(answer["response"][name]))
    data[at] ^= 1
    return {**answer, "response": {**answer["response"], name: encode(bytes(data))}}
