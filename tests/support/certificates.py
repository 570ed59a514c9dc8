"""Certificates of an own authority, as a closed network makes them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Authority:
    """A certificate authority with its files in `folder`."""

    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "시험 기관")])
        self.certificate = self._sign(self.name, self.key, (-1, 3650), authority=True)
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str = "board",
        *,
        days: tuple[float, float] = (-1, 365),
        key: Key | None = None,
        form: PrivateFormat = PrivateFormat.PKCS8,
        passphrase: bytes | None = None,
    ) -> tuple[Path, Path]:
        """Write certificate and key of a server on this machine; return their paths."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, days)
        encryption: KeySerializationEncryption = NoEncryption()
        if passphrase:
            encryption = BestAvailableEncryption(passphrase)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(
            certificate.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)
        )
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, form, encryption))
        return paths

    def _sign(
        self, subject: x509.Name, key: Key, days: tuple[float, float], *, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        alternatives = [
            x509.DNSName("localhost"),
            x509.DNSName("board.example"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(self.key, hashes.SHA256())
        )
