"""Detached signatures of uploads: verified against the operator's public keys."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t

MAX_SIGNATURE = 8192
"""Characters of a signature as base64."""


def verify(keys: Path | None, sha256: str, signature: str) -> str:
    """Return the name of the key that made the signature of a content with this digest.

    The signature is what `openssl dgst -sha256 -sign KEY FILE` writes, as base64: RSA or ECDSA.
    Raises `Invalid` if no configured key made it.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(what=t("artifacts.signature"), why=t("artifacts.not_base64")) from None
    for path in sorted(keys.glob("*.pem")) if keys is not None else ():
        if _made_by(path, bytes.fromhex(sha256), raw):
            return path.stem
    raise Invalid(what=t("artifacts.signature"), why=t("artifacts.unknown_signature"))


def _made_by(path: Path, digest: bytes, signature: bytes) -> bool:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(what=str(path), why=t("artifacts.bad_key")) from error
    hashed = Prehashed(SHA256())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(hashed))
        else:
            raise Misconfigured(what=str(path), why=t("artifacts.bad_key"))
    except InvalidSignature:
        return False
    return True
