"""The master key under which a store of credentials is encrypted, and the one that follows it.

It comes, in this order, from ``GUARDIA_SECRETS_KEY``, from a systemd credential, or from a key
file beside the store that is made at the first use. Its successor comes from the same places, with
``_NEXT`` (``-next``, ``.next``) behind the name, and is there only while the key is replaced.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t

VARIABLE = "GUARDIA_SECRETS_KEY"
"""Base64 of 32 random bytes."""
CREDENTIAL = "guardia-secrets-key"
"""Name of the same in a systemd credential (``LoadCredential=``)."""
_KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key and where it comes from."""

    key: bytes
    source: str
    """The variable, the systemd credential or the file."""
    file: bool = False


def present(store: Path) -> MasterKey:
    """The key of a store; its file is made where nothing else is given."""
    given = _given("")
    if given is not None:
        return given
    path = _path(store)
    if not path.is_file():
        place(private_file(path.parent, _new()), path)
    return _from_file(path)


def following(store: Path) -> MasterKey | None:
    """The key that is to take the present one's place, or ``None``."""
    given = _given("next")
    if given is not None:
        return given if given.key != present(store).key else None
    path = _path(store, ".next")
    return _from_file(path) if path.is_file() else None


def prepare(store: Path) -> MasterKey:
    """The key that is to follow, made where the present one is a file.

    ``Invalid`` where the present one is given from outside, and its successor is not.
    """
    heir = following(store)
    if heir is not None:
        return heir
    if not present(store).file:
        raise Invalid(what=f"{VARIABLE}_NEXT", why=t("org.no_next"))
    path = _path(store, ".next")
    place(private_file(path.parent, _new()), path)
    return _from_file(path)


def finish(store: Path, heir: MasterKey) -> None:
    """Give the successor the present one's place, where both are files; others do it outside."""
    if heir.file:
        os.replace(_path(store, ".next"), _path(store))
        sync(store.parent)


def _given(which: str) -> MasterKey | None:
    variable = f"{VARIABLE}_{which.upper()}" if which else VARIABLE
    credential = f"{CREDENTIAL}-{which}" if which else CREDENTIAL
    if text := os.environ.get(variable):
        return MasterKey(_key(text, variable), variable)
    granted = Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / credential
    if granted.is_file():
        # systemd guards the folder itself, partly by access lists that modes do not show.
        return MasterKey(_key(granted.read_text("ascii"), credential), credential)
    return None


def _from_file(path: Path) -> MasterKey:
    require_private(path, path.name)
    return MasterKey(_key(path.read_text("ascii"), str(path)), str(path), file=True)


def _path(store: Path, end: str = "") -> Path:
    return store.with_name(f"{store.name}.key{end}")


def _new() -> bytes:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES))


def _key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise Misconfigured(what=source, why=t("org.master_key"))
    return key


# --- private files, whole or not at all ---------------------------------------------------------


def require_private(path: Path, name: str) -> None:
    """``Misconfigured`` where others than we could read a file."""
    found = path.stat()
    if found.st_mode & _OTHERS or found.st_uid != os.geteuid():
        raise Misconfigured(what=name, why=t("org.open_key", path=path))


def private_file(folder: Path, content: bytes) -> Path:
    """A new file that only we can read, complete before it gets its name."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def place(new: Path, path: Path) -> None:
    """Give ``new`` its name unless somebody was faster; theirs stays."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    sync(path.parent)


def sync(folder: Path) -> None:
    """Names in a folder outlive a power cut from now on."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
