"""What a server must prove to be: a pinned public key, or a certificate of a known authority."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Protocol

import paramiko
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from guardia.org.directory import Host

CERTIFICATE = "-cert-v01@openssh.com"
"""End of the type of every SSH certificate."""
_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_FOREVER = 2**64 - 1
_MAX_CERTIFICATE_BYTES = 32_768


class HostIdentity(Protocol):
    """What a server must prove to be."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The host key algorithms with which it may do so, the preferred one first."""
        ...

    def problem(self, offered: paramiko.PKey) -> str | None:
        """Return the key below `tools.ssh` of what is wrong with the offered key, or `None`."""
        ...


class PinnedKey:
    """Exactly one public key, as held by the CMDB: `ssh-ed25519 AAAA...`."""

    def __init__(self, text: str) -> None:
        """Raise `ValueError` if `text` is no public key."""
        self._kind, self._blob = parse(text)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms of this type of key."""
        return algorithms(self._kind)

    def problem(self, offered: paramiko.PKey) -> str | None:
        """Return what is wrong with the offered key."""
        same = (offered.get_name(), offered.asbytes()) == (self._kind, self._blob)
        return None if same else "host_key"


class SignedByAuthority:
    """A host certificate that one of the given authorities has signed for one of these names."""

    def __init__(self, authorities: str, names: Iterable[str]) -> None:
        """Raise `ValueError` if `authorities` holds anything but public keys, one a line."""
        lines = [line.split() for line in authorities.splitlines() if line.strip()]
        marked = [words[2:] if words[0] == "@cert-authority" else words for words in lines]
        self._authorities = {parse(" ".join(words)) for words in marked}
        if not self._authorities:
            raise ValueError("an authority has a public key")
        self._names = tuple(name.lower() for name in names if name)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """All algorithms of certificates; none of them uses SHA-1."""
        return tuple(f"{kind}{CERTIFICATE}" for kind in _ALGORITHMS)

    def problem(self, offered: paramiko.PKey) -> str | None:
        """Return what is wrong with the offered certificate."""
        certificate = read_certificate(offered)
        is_host = certificate is not None and certificate.type is SSHCertificateType.HOST
        if certificate is None or not is_host or certificate.critical_options:
            return "no_host_certificate"
        if not self._is_signed(certificate):
            return "host_key"
        if not self._is_named(certificate):
            return "host_certificate_name"
        now = time.time()
        if now < certificate.valid_after or not is_valid_until(certificate, now):
            return "host_certificate_date"
        return None

    def _is_signed(self, certificate: SSHCertificate) -> bool:
        """Return whether one of the authorities has signed it, and not with SHA-1."""
        try:
            key = certificate.signature_key()
            text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
            certificate.verify_cert_signature()
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, AssertionError):
            return False
        return parse(text) in self._authorities and not _uses_sha1(certificate)

    def _is_named(self, certificate: SSHCertificate) -> bool:
        """Return whether it names this server. One without a name is valid for none."""
        principals = [p.decode("utf-8", "replace").lower() for p in certificate.valid_principals]
        return any(fnmatchcase(n, p.replace("[", "[[]")) for n in self._names for p in principals)


def expected_identity(host: Host) -> HostIdentity:
    """Return what a server must prove to be. Raises `ValueError` if the CMDB does not say."""
    if host.login.host_ca.strip():
        return SignedByAuthority(host.login.host_ca, (host.address, host.server_id))
    return PinnedKey(host.host_key)


def read_certificate(key: paramiko.PKey) -> SSHCertificate | None:
    """Return the certificate that came with a key, or `None` if there is none or it is damaged."""
    blob = key.public_blob
    if blob is None or len(blob.key_blob) > _MAX_CERTIFICATE_BYTES:
        return None
    inner = paramiko.Message(blob.key_blob).get_string()
    try:
        identity = load_ssh_public_identity(inner + b" " + base64.b64encode(blob.key_blob))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return identity if isinstance(identity, SSHCertificate) else None


def is_valid_until(certificate: SSHCertificate, moment: float) -> bool:
    """Return whether a certificate has not expired at that moment."""
    return certificate.valid_before == _FOREVER or moment < certificate.valid_before


def parse(text: str) -> tuple[str, bytes]:
    """Return the type and bytes of a key. Raises `ValueError` if `text` is not one."""
    words = text.split()
    if len(words) < 2:
        raise ValueError("a host key has a type and a key")
    return words[0], base64.b64decode(words[1], validate=True)


def written(key: paramiko.PKey) -> str:
    """Return a public key as the CMDB holds it."""
    return f"{key.get_name()} {base64.b64encode(key.asbytes()).decode()}"


def algorithms(kind: str) -> tuple[str, ...]:
    """Return the signature algorithms with which a host may prove a key of this type."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


def all_algorithms() -> tuple[str, ...]:
    """Return the algorithms of every type of plain key."""
    return _ALGORITHMS


def _uses_sha1(certificate: SSHCertificate) -> bool:
    # The library offers no public accessor, and accepts SHA-1.
    return bytes(certificate._inner_sig_type) == b"ssh-rsa"
