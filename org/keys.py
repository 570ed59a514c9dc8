"""Private keys and other credentials by name, encrypted at rest; read when needed, never kept.

One file per credential, AES-256-GCM under one master key, bound to its name so that files cannot
be exchanged. The master key comes, in this order, from ``GUARDIA_SECRETS_KEY``, from a systemd
credential, or from a key file that is made beside the folder at the first use.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guardia.errors import Misconfigured
from guardia.i18n import t

VARIABLE = "GUARDIA_SECRETS_KEY"
"""Base64 of 32 random bytes."""
CREDENTIAL = "guardia-secrets-key"
"""Name of the same in a systemd credential (``LoadCredential=``)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAGIC = b"guardia-secret.v1\n"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Keys(Protocol):
    """A store of credentials by name."""

    def get(self, name: str) -> str:
        """The credential; ``Misconfigured`` where there is none."""

    def put(self, name: str, value: str) -> None:
        """Store a credential."""

    def obtain(self, name: str, make: Callable[[], str]) -> str:
        """The credential, made and stored where there is none."""


class FileKeys:
    """One encrypted file per credential in a private folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        """The credential; ``Misconfigured`` where it is missing or others could read it.

        A plain file, as an operator puts it there, is encrypted by its first reading.
        """
        path = self._path(name)
        if not path.is_file():
            raise Misconfigured(what=name, why=t("org.no_key", folder=self._folder))
        _require_private(path, name)
        held = path.read_bytes()
        if held.startswith(_MAGIC):
            return self._decrypted(name, held[len(_MAGIC) :])
        value = held.decode("utf-8")
        self.put(name, value)
        return value

    def put(self, name: str, value: str) -> None:
        """Store a credential, readable by us alone."""
        path = self._path(name)
        self._prepare()
        os.replace(self._written(name, value), path)

    def obtain(self, name: str, make: Callable[[], str]) -> str:
        """The credential, made and stored where there is none; several processes agree on one."""
        path = self._path(name)
        if not path.is_file():
            self._prepare()
            _place(self._written(name, make()), path)
        return self.get(name)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _written(self, name: str, value: str) -> Path:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._master()).encrypt(nonce, value.encode("utf-8"), name.encode())
        return _private_file(self._folder, _MAGIC + base64.b64encode(nonce + sealed))

    def _decrypted(self, name: str, body: bytes) -> str:
        try:
            raw = base64.b64decode(body, validate=True)
            nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(self._master()).decrypt(nonce, sealed, name.encode()).decode("utf-8")
        except (InvalidTag, ValueError):
            raise Misconfigured(what=name, why=t("org.wrong_key")) from None

    def _master(self) -> bytes:
        if given := os.environ.get(VARIABLE):
            return _key(given, VARIABLE)
        granted = Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / CREDENTIAL
        if granted.is_file():
            # systemd guards the folder itself, partly by access lists that modes do not show.
            return _key(granted.read_text("ascii"), CREDENTIAL)
        path = self._folder.with_name(f"{self._folder.name}.key")
        if not path.is_file():
            made = base64.b64encode(secrets.token_bytes(_KEY_BYTES))
            _place(_private_file(path.parent, made), path)
        _require_private(path, path.name)
        return _key(path.read_text("ascii"), str(path))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Misconfigured(what=name, why=t("org.key_name"))
        return self._folder / name


def _key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise Misconfigured(what=source, why=t("org.master_key"))
    return key


def _require_private(path: Path, name: str) -> None:
    found = path.stat()
    if found.st_mode & _OTHERS or found.st_uid != os.geteuid():
        raise Misconfigured(what=name, why=t("org.open_key", path=path))


def _private_file(folder: Path, content: bytes) -> Path:
    """A new file that only we can read, complete before it gets its name."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _place(new: Path, path: Path) -> None:
    """Give ``new`` its name unless somebody was faster; theirs stays."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
