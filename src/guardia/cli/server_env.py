"""What the commands about servers share: the board, the gate, and how they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from guardia.cli.installation import migrate, open_installation
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.org.credential_store import CredentialStore, FileCredentialStore
    from guardia.tools.gate import Gate

MAX_SECRET_BYTES = 65_536


@dataclass
class PendingSecrets:
    """Credentials that are used before they are stored, over those of the store."""

    store: CredentialStore
    pending: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return a credential. Raises `Misconfigured` if there is none."""
        return self.pending[name] if name in self.pending else self.store.get(name)


@dataclass(frozen=True)
class ServerTools:
    """The board, the gate to the servers, and the credentials."""

    board: BoardContext
    gate: Gate
    secrets: PendingSecrets


@contextmanager
def open_board() -> Iterator[BoardContext]:
    """Open the board of this installation, with its tables up to date."""
    with open_installation(Settings()) as installation:
        migrate(installation)
        with installation.board() as board:
            yield board


@contextmanager
def open_tools() -> Iterator[ServerTools]:
    """Open the board and the gate."""
    from guardia.tools.gate import Gate
    from guardia.tools.transport.connections import Connections

    secrets = PendingSecrets(credential_store())
    with open_board() as board, Connections(secrets) as connections:
        yield ServerTools(board, Gate(board, connections), secrets)


def credential_store() -> FileCredentialStore:
    """Return the credential store of this installation."""
    from guardia.org.credential_store import FileCredentialStore

    return FileCredentialStore(Settings().secrets)


def is_interactive() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


def ask(value: str | None, key: str, *, default: str | None = None) -> str:
    """Return a value, asked for if it is not given. Raises `Missing` without a terminal."""
    if value:
        return value
    if is_interactive():
        return str(typer.prompt(t(key), default=default))
    if default is not None:
        return default
    raise Missing(what=t(key))


def read_secret(file: Path | None) -> str:
    """Return a secret from a file or standard input, never from an argument."""
    try:
        if file is None:
            if is_interactive():
                return str(typer.prompt(t("cli.credential.secret"), hide_input=True))
            raw = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(MAX_SECRET_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(what=str(file or "-"), why=t("cli.credential.unreadable")) from error
    if not text.strip() or len(raw) > MAX_SECRET_BYTES:
        raise Invalid(what=str(file or "-"), why=t("cli.credential.empty"))
    return text if "-----BEGIN" in text else text.rstrip("\r\n")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_line(key: str, words: Mapping[str, object] | None = None) -> None:
    """Print a sentence of the catalogue."""
    sys.stdout.write(t(key, **(words or {})) + "\n")
