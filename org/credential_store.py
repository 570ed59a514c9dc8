"""Private keys and other credentials by name, encrypted on disk and read only when needed.

One file per credential, AES-256-GCM under one master key, bound to the credential's name so that
files cannot be swapped. While the master key is being replaced, both the old and the new one open
them.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from guardia.db.private_files import fsync_folder
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.org import master_key
from guardia.org.master_key import (
    MasterKey,
    link_unless_exists,
    require_private,
    write_private_file,
)
from guardia.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAGIC = b"guardia-secret.v1\n"
_NONCE_BYTES = 12


class CredentialStore(Protocol):
    """A store of credentials by name."""

    def get(self, name: str) -> str:
        """Return the credential. Raises `Misconfigured` if there is none."""

    def find(self, name: str) -> tuple[str, ...]:
        """Return the credential in a tuple, or an empty tuple."""

    def put(self, name: str, value: str) -> None:
        """Store a credential."""

    def get_or_create(self, name: str, make: Callable[[], str]) -> str:
        """Return the credential; create and store it first if there is none."""

    def remove(self, name: str) -> None:
        """Delete a credential if it exists."""


class FileCredentialStore:
    """One encrypted file per credential in a private folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        """Return the credential. Raises `Misconfigured` if it is missing or readable by others.

        A plain file, as an operator puts it there, is encrypted the first time it is read.
        """
        path = self._path(name)
        if not path.is_file():
            raise Misconfigured(what=name, why=t("org.no_key", folder=self._folder))
        with self._locked(fcntl.LOCK_SH):
            require_private(path, name)
            content = path.read_bytes()
            if content.startswith(_MAGIC):
                return _decrypt(name, content, self._master_keys())
        try:
            value = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Misconfigured(what=name, why=t("db.embedded.damaged")) from error
        self.put(name, value)
        return value

    def find(self, name: str) -> tuple[str, ...]:
        """Return the credential in a tuple, or an empty tuple."""
        try:
            return (self.get(name),) if self._path(name).is_file() else ()
        except FileNotFoundError:
            return ()

    def put(self, name: str, value: str) -> None:
        """Store a credential, readable by our account only."""
        path = self._path(name)
        self._prepare()
        with self._locked(fcntl.LOCK_SH):
            os.replace(self._write_encrypted(name, value, self._master_keys()[-1]), path)
            fsync_folder(self._folder)

    def get_or_create(self, name: str, make: Callable[[], str]) -> str:
        """Return the credential; create it first if there is none.

        Concurrent processes get the same one.
        """
        path = self._path(name)
        if not path.is_file():
            self._prepare()
            with self._locked(fcntl.LOCK_SH):
                new = self._write_encrypted(name, make(), self._master_keys()[-1])
                link_unless_exists(new, path)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Delete a credential if it exists."""
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all stored credentials."""
        return sorted(path.name for path in self._files())

    def master(self) -> MasterKey:
        """Return the key under which the store is encrypted."""
        return master_key.current_key(self._folder)

    def rotate(self) -> int:
        """Encrypt every credential under the next master key, and return their number.

        Safe against a crash at any moment: both keys exist until the last file has been written and
        read back, and the next call continues. Raises `Invalid` if the next key must be provided
        first.
        """
        self._prepare()
        with self._locked(fcntl.LOCK_EX):
            before, successor = (
                master_key.current_key(self._folder),
                master_key.prepare_next_key(self._folder),
            )
            paths = list(self._files())
            for path in paths:
                value = _decrypt(path.name, path.read_bytes(), (before, successor))
                os.replace(self._write_encrypted(path.name, value, successor), path)
            fsync_folder(self._folder)
            for path in paths:
                _decrypt(path.name, path.read_bytes(), (successor,))
            master_key.promote_next_key(self._folder, successor)
            return len(paths)

    def _files(self) -> Iterator[Path]:
        if self._folder.is_dir():
            for path in sorted(self._folder.iterdir()):
                if _NAME.fullmatch(path.name) and path.is_file() and _is_encrypted(path):
                    yield path

    def _master_keys(self) -> tuple[MasterKey, ...]:
        successor = master_key.next_key(self._folder)
        return (master_key.current_key(self._folder), *((successor,) if successor else ()))

    @contextmanager
    def _locked(self, mode: int) -> Iterator[None]:
        """Hold a lock on the folder, so that no master key is replaced during a read or write.

        The kernel releases it if the process dies.
        """
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, mode)
            yield
        finally:
            os.close(descriptor)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write_encrypted(self, name: str, value: str, master: MasterKey) -> Path:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(master.key).encrypt(nonce, value.encode("utf-8"), name.encode())
        return write_private_file(self._folder, _MAGIC + base64.b64encode(nonce + ciphertext))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Misconfigured(what=name, why=t("org.key_name"))
        return self._folder / name


def with_stored_secrets(settings: Settings, keys: CredentialStore) -> Settings:
    """Return the settings with unset secrets filled from the store.

    `messenger_token` comes from the credential `messenger-token`. Unlike variables, the store is
    not visible to every program of the account.
    """
    stored = {
        name: SecretStr(value.strip())
        for name, field in type(settings).model_fields.items()
        if field.annotation == SecretStr | None and getattr(settings, name) is None
        for value in keys.find(name.replace("_", "-"))
    }
    return settings.model_copy(update=stored)


def _is_encrypted(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _decrypt(name: str, content: bytes, master_keys: Sequence[MasterKey]) -> str:
    try:
        raw = base64.b64decode(content[len(_MAGIC) :], validate=True)
    except ValueError:
        raise Misconfigured(what=name, why=t("org.wrong_key")) from None
    for master in master_keys:
        try:
            plaintext = AESGCM(master.key).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode()
            )
        except (InvalidTag, ValueError):
            continue
        return plaintext.decode("utf-8")
    raise Misconfigured(what=name, why=t("org.wrong_key"))
