"""The board's certificate and key: checked when read, and read again when the files change."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from guardia.errors import GuardiaError, Misconfigured
from guardia.i18n import t
from guardia.settings import Settings

log = logging.getLogger(__name__)

_BOM = b"\xef\xbb\xbf"
_MAX_BYTES = 1 << 20
_SOON = timedelta(days=14)


class TlsFiles:
    """The context of new connections; a changed file replaces it if it is usable."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._certificate, self._key = certificate, key or certificate
        self._seen = self._fingerprint()
        self.context = self._load()

    @classmethod
    def of(cls, settings: Settings) -> TlsFiles | None:
        """Return the configured files, or `None` for plain HTTP. Raises `Misconfigured`."""
        if settings.tls_certificate is None:
            if settings.tls_key is not None:
                raise Misconfigured(what=str(settings.tls_key), why=t("web.tls.key_alone"))
            return None
        return cls(settings.tls_certificate, settings.tls_key)

    def reload_if_changed(self) -> None:
        """Read the files again if they are others than before."""
        now = self._fingerprint()
        if now != self._seen:
            self._seen = now
            self.reload()

    def reload(self) -> bool:
        """Read the files again. An unusable file is logged, and the present context stays."""
        try:
            self.context = self._load()
        except GuardiaError as error:
            log.error("certificate not replaced, the present one stays in use: %s", error)
            return False
        log.warning("certificate replaced: %s", self._certificate)
        return True

    def _fingerprint(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key))

    def _load(self) -> ssl.SSLContext:
        chain, key = _read_chain(self._certificate), _read_key(self._key)
        _check(chain[0], key, self._certificate, self._key)
        pem = b"".join(c.public_bytes(Encoding.PEM) for c in chain) + key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        with _in_memory(pem) as path:
            try:
                context.load_cert_chain(path)
            except ssl.SSLError as error:
                why = t("web.tls.refused", problem=error.reason or "-")
                raise Misconfigured(what=str(self._certificate), why=why) from error
        return context


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a path to bytes that are on no disk: OpenSSL reads certificate and key from a file."""
    with os.fdopen(os.memfd_create("guardia-tls", os.MFD_CLOEXEC), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError as error:
        why = t("web.tls.unreadable", problem=error.strerror or "-")
        raise Misconfigured(what=str(path), why=why) from error
    # Editors on Windows add a byte order mark and their line ends; copying adds blanks.
    lines = content.removeprefix(_BOM).splitlines()
    return b"\n".join(line.strip() for line in lines if line.strip()) + b"\n"


def _read_chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise Misconfigured(what=str(path), why=t("web.tls.no_certificate")) from error


def _read_key(path: Path) -> PrivateKeyTypes:
    content = _read(path)
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise Misconfigured(what=str(path), why=t("web.tls.passphrase")) from error
    except ValueError as error:
        raise Misconfigured(what=str(path), why=t("web.tls.no_key")) from error


def _check(leaf: x509.Certificate, key: PrivateKeyTypes, where: Path, key_path: Path) -> None:
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if leaf.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise Misconfigured(what=str(key_path), why=t("web.tls.mismatch", certificate=str(where)))
    now = datetime.now(UTC)
    if leaf.not_valid_before_utc > now:
        since = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise Misconfigured(what=str(where), why=t("web.tls.not_yet", since=since))
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if leaf.not_valid_after_utc < now:
        raise Misconfigured(what=str(where), why=t("web.tls.expired", until=until))
    if leaf.not_valid_after_utc < now + _SOON:
        log.warning("certificate %s expires at %s", where, until)
