"""Private keys for SSH in every form that people store: OpenSSH, PKCS#8, PKCS#1, SEC 1.

A certificate of the key may follow it in the same text, as one line.
"""

from __future__ import annotations

import base64
import io
import re

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)

from guardia.errors import Misconfigured
from guardia.i18n import t

_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_CERTIFICATE = re.compile(r"(?m)^[ \t]*(\S+-cert-v01@openssh\.com)[ \t]+(\S+).*$")


def load_private_key(name: str, text: str) -> paramiko.PKey:
    """Return the private key in `text`, the credential called `name`.

    Raises `Misconfigured` with what is wrong and how to convert it.
    """
    pem = _normalized(text)
    if reason := _known_obstacle(pem):
        raise Misconfigured(what=name, why=t(f"tools.ssh.key.{reason}"))
    load = (
        serialization.load_ssh_private_key
        if pem.startswith(_OPENSSH)
        else serialization.load_pem_private_key
    )
    try:
        key = load(pem.encode(), None)
        if isinstance(key, Ed25519PrivateKey):
            return paramiko.Ed25519Key.from_private_key(_openssh(key))
        if isinstance(key, EllipticCurvePrivateKey):
            return paramiko.ECDSAKey.from_private_key(_openssh(key))
        if isinstance(key, RSAPrivateKey):
            return paramiko.RSAKey.from_private_key(_openssh(key))
    except TypeError:  # raised for a key that needs a passphrase
        raise Misconfigured(what=name, why=t("tools.ssh.key.encrypted")) from None
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        pass
    raise Misconfigured(what=name, why=t("tools.ssh.no_key"))


def has_certificate(text: str) -> bool:
    """Return whether a text includes a certificate of a key."""
    return _CERTIFICATE.search(text) is not None


def load_certified_key(name: str, text: str) -> paramiko.PKey:
    """Return the private key in `text` with its certificate, which may come before or after it.

    Raises `Misconfigured` if the certificate is missing, damaged, or that of another key.
    """
    found = _CERTIFICATE.search(text)
    if found is None:
        raise Misconfigured(what=name, why=t("tools.ssh.key.no_certificate"))
    key = load_private_key(name, text[: found.start()] + text[found.end() :])
    try:
        blob = base64.b64decode(found[2], validate=True)
        certified = load_ssh_public_identity(f"{found[1]} {found[2]}".encode())
        key.load_certificate(paramiko.Message(blob))
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        raise Misconfigured(what=name, why=t("tools.ssh.key.bad_certificate")) from None
    if not isinstance(certified, SSHCertificate) or _public(certified) != key.asbytes():
        raise Misconfigured(what=name, why=t("tools.ssh.key.other_certificate"))
    return key


def _public(certificate: SSHCertificate) -> bytes:
    text = certificate.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(text.split()[1])


def _normalized(text: str) -> str:
    """Return PEM text without what editors and forms add: a BOM, blanks, other line ends."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def _known_obstacle(pem: str) -> str | None:
    """Return the key of the text that explains what `pem` is instead of a usable key."""
    if pem.startswith("PuTTY-User-Key-File"):
        return "putty"
    if pem.startswith(("ssh-", "ecdsa-", "sk-", "-----BEGIN PUBLIC", "-----BEGIN CERTIFICATE")):
        return "public"
    is_encrypted = pem.startswith("-----BEGIN ENCRYPTED") or "Proc-Type: 4,ENCRYPTED" in pem
    return "encrypted" if is_encrypted else None


def _openssh(key: Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey) -> io.StringIO:
    """Return a key in the one format that paramiko reads for every type."""
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return io.StringIO(pem.decode())
