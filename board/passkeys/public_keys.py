"""Public keys of devices: from the form that a device writes to the one that the log holds."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
from webauthn.helpers.exceptions import WebAuthnException

from guardia.board.audit.passkey_signatures import RegisteredKey, decode
from guardia.errors import PasskeyRejected
from guardia.i18n import t


def registered_key(person: str, credential: str, cose: str, rp_id: str) -> RegisteredKey:
    """Return a key (COSE, base64url) as the log holds it. Raises `PasskeyRejected` if it is none.

    The log holds SubjectPublicKeyInfo, so that its readers need no CBOR.
    """
    try:
        key = decode_credential_public_key(decode(cose))
        public = decoded_public_key_to_cryptography(key)
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyRejected(why=t("passkeys.why.not_verified")) from error
    return RegisteredKey(person, credential, spki.hex(), int(key.alg), rp_id)
