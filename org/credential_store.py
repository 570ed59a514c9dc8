"""Private keys and other credentials by name, encrypted at rest; read when needed, never kept.

One file per credential, AES-256-GCM under one master key, bound to its name so that files cannot
be exchanged. While the master key is replaced, both it and its successor open them.
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
        """The credential; ``Misconfigured`` where there is none."""

    def found(self, name: str) -> tuple[str, ...]:
        """The credential, or nothing."""

    def put(self, name: str, value: str) -> None:
        """Store a credential."""

    def get_or_create(self, name: str, make: Callable[[], str]) -> str:
        """The credential, made and stored where there is none."""

    def remove(self, name: str) -> None:
        """Forget a credential, if there is one."""


class FileCredentialStore:
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
        with self._locked(fcntl.LOCK_SH):
            require_private(path, name)
            held = path.read_bytes()
            if held.startswith(_MAGIC):
                return _decrypt(name, held, self._master_keys())
        value = held.decode("utf-8")
        self.put(name, value)
        return value

    def found(self, name: str) -> tuple[str, ...]:
        """The credential, or nothing."""
        try:
            return (self.get(name),) if self._path(name).is_file() else ()
        except FileNotFoundError:
            return ()

    def put(self, name: str, value: str) -> None:
        """Store a credential, readable by us alone."""
        path = self._path(name)
        self._prepare()
        with self._locked(fcntl.LOCK_SH):
            os.replace(self._written(name, value, self._master_keys()[-1]), path)

    def get_or_create(self, name: str, make: Callable[[], str]) -> str:
        """The credential, made and stored where there is none; several processes agree on one."""
        path = self._path(name)
        if not path.is_file():
            self._prepare()
            with self._locked(fcntl.LOCK_SH):
                link_unless_exists(self._written(name, make(), self._master_keys()[-1]), path)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Forget a credential, if there is one."""
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """What is stored."""
        return sorted(path.name for path in self._files())

    def master(self) -> MasterKey:
        """The key under which it is encrypted."""
        return master_key.current_key(self._folder)

    def rotate(self) -> int:
        """Encrypt every credential under the next master key; how many there are.

        Whoever dies meanwhile loses nothing: both keys are there until the last one is done and
        read again, and the next call goes on. ``Invalid`` where the next key must be given first.
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
                os.replace(self._written(path.name, value, successor), path)
            master_key.fsync_folder(self._folder)
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
    def _locked(self, how: int) -> Iterator[None]:
        """Nobody's master key is replaced while one reads or writes. The kernel frees the lock."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _written(self, name: str, value: str, master: MasterKey) -> Path:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(master.key).encrypt(nonce, value.encode("utf-8"), name.encode())
        return write_private_file(self._folder, _MAGIC + base64.b64encode(nonce + sealed))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Misconfigured(what=name, why=t("org.key_name"))
        return self._folder / name


def with_stored_secrets(settings: Settings, keys: CredentialStore) -> Settings:
    """The settings, with the secrets that no variable gives from the store: ``messenger_token``
    is the credential ``messenger-token``. Variables are seen by every program of the account."""
    given = {
        name: SecretStr(value.strip())
        for name, field in type(settings).model_fields.items()
        if field.annotation == SecretStr | None and getattr(settings, name) is None
        for value in keys.found(name.replace("_", "-"))
    }
    return settings.model_copy(update=given)


def _is_encrypted(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _decrypt(name: str, held: bytes, master_keys: Sequence[MasterKey]) -> str:
    try:
        raw = base64.b64decode(held[len(_MAGIC) :], validate=True)
    except ValueError:
        raise Misconfigured(what=name, why=t("org.wrong_key")) from None
    for master in master_keys:
        try:
            opened = AESGCM(master.key).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode()
            )
        except (InvalidTag, ValueError):
            continue
        return opened.decode("utf-8")
    raise Misconfigured(what=name, why=t("org.wrong_key"))
