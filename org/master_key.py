"""The master key that encrypts a credential store, and its successor during a rotation.

It comes, in this order, from `GUARDIA_SECRETS_KEY`, from a systemd credential, or from a key file
beside the store that is created on first use. Its successor comes from the same places, with
`_NEXT` (`-next`, `.next`) appended to the name, and exists only while the key is being replaced.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from guardia.db.private_files import fsync_folder
from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t

KEY_VARIABLE = "GUARDIA_SECRETS_KEY"
"""Base64 of 32 random bytes."""
KEY_CREDENTIAL = "guardia-secrets-key"
"""Name of the same key as a systemd credential (`LoadCredential=`)."""
_KEY_BYTES = 32
_OTHERS_ACCESS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key and its source."""

    key: bytes
    source: str
    """The variable, the systemd credential or the file."""
    file: bool = False


def current_key(store: Path) -> MasterKey:
    """Return the key of a store; create its file if no other source provides one."""
    configured = _configured_key("")
    if configured is not None:
        return configured
    path = _key_path(store)
    if not path.is_file():
        link_unless_exists(write_private_file(path.parent, _generate_key()), path)
    return _read_key_file(path)


def next_key(store: Path) -> MasterKey | None:
    """Return the successor of the current key, or `None`."""
    configured = _configured_key("next")
    if configured is not None:
        return configured if configured.key != current_key(store).key else None
    path = _key_path(store, ".next")
    return _read_key_file(path) if path.is_file() else None


def prepare_next_key(store: Path) -> MasterKey:
    """Return the successor; create it if the current key is a file.

    Raises `Invalid` if the current key is provided from outside but its successor is not.
    """
    successor = next_key(store)
    if successor is not None:
        return successor
    if not current_key(store).file:
        raise Invalid(what=f"{KEY_VARIABLE}_NEXT", why=t("org.no_next"))
    path = _key_path(store, ".next")
    link_unless_exists(write_private_file(path.parent, _generate_key()), path)
    return _read_key_file(path)


def promote_next_key(store: Path, successor: MasterKey) -> None:
    """Make the successor the current key if it is a file.

    Keys from outside are replaced by the operator.
    """
    if successor.file:
        os.replace(_key_path(store, ".next"), _key_path(store))
        fsync_folder(store.parent)


def _configured_key(which: str) -> MasterKey | None:
    variable = f"{KEY_VARIABLE}_{which.upper()}" if which else KEY_VARIABLE
    credential = f"{KEY_CREDENTIAL}-{which}" if which else KEY_CREDENTIAL
    if text := os.environ.get(variable):
        return MasterKey(_decode_key(text, variable), variable)
    granted = Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / credential
    if granted.is_file():
        # systemd protects the folder itself, partly by access lists that modes do not show.
        return MasterKey(_decode_key(granted.read_text("ascii", "replace"), credential), credential)
    return None


def _read_key_file(path: Path) -> MasterKey:
    require_private(path, path.name)
    return MasterKey(
        _decode_key(path.read_text("ascii", "replace"), str(path)), str(path), file=True
    )


def _key_path(store: Path, end: str = "") -> Path:
    return store.with_name(f"{store.name}.key{end}")


def _generate_key() -> bytes:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES))


def _decode_key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise Misconfigured(what=source, why=t("org.master_key"))
    return key


# --- private files, written atomically ----------------------------------------------------------


def require_private(path: Path, name: str) -> None:
    """Raise `Misconfigured` if others can read a file."""
    found = path.stat()
    if found.st_mode & _OTHERS_ACCESS or found.st_uid != os.geteuid():
        raise Misconfigured(what=name, why=t("org.open_key", path=path))


def write_private_file(folder: Path, content: bytes) -> Path:
    """Write a new file that only we can read, complete before it gets its final name."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def link_unless_exists(new: Path, path: Path) -> None:
    """Give `new` its final name unless another process was faster; then the other file stays."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    fsync_folder(path.parent)
