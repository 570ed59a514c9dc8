"""`guardia keys`: list keys and credentials, and rotate keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.core.context import BoardContext
    from guardia.org.credential_store import FileCredentialStore

app = typer.Typer(no_args_is_help=True)


@contextmanager
def _open_board(settings: Settings) -> Iterator[BoardContext]:
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.integrity.notary import Notary

    with open_installation(settings) as installation, installation.board() as board:
        yield replace(board, notary=Notary(WitnessFiles.of(settings)))


def _store_folders(settings: Settings, witness_files: WitnessFiles) -> list[Path]:
    """Return every folder of credentials: usually one."""
    return [f for f in dict.fromkeys((settings.secrets, witness_files.key.parent)) if f.is_dir()]


@app.command("list", help=t("cli.keys.list"))
def list_keys() -> None:
    """List signing keys and stored credentials; never a secret itself."""
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.org.credential_store import FileCredentialStore

    settings = Settings()
    witness_files = WitnessFiles.of(settings)
    table = Table(t("cli.keys.column.name"), t("cli.keys.column.what"))
    for folder in _store_folders(settings, witness_files):
        store = FileCredentialStore(folder)
        table.add_row(str(folder), t("cli.keys.master", source=store.master().source))
        for name in store.names():
            table.add_row(f"  {name}", _describe(store, name, witness_files.key.name))
    console().print(table)


def _describe(store: FileCredentialStore, name: str, checkpoint_key_name: str) -> str:
    from guardia.board.audit import signing
    from guardia.board.audit.checkpoint import load_private_key
    from guardia.board.audit.signing_keys import public_hex

    if name == signing.KEY_NAME:
        use, key = "decisions", signing.parse_key(store.get(name))
    elif name == checkpoint_key_name:
        use, key = "record", load_private_key(store.get(name))
    else:
        return t("cli.keys.credential")
    return t("cli.keys.signs", use=t(f"audit.use.{use}"), key=public_hex(key.public_key()))


@app.command("rotate", help=t("cli.keys.rotate"))
def rotate(which: Annotated[str, typer.Argument(help=t("cli.keys.which"))]) -> None:
    """Rotate the master key of the store, or a signing key."""
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.integrity import key_rotation
    from guardia.org.credential_store import FileCredentialStore

    settings = Settings()
    if which not in ("store", "record", "decisions"):
        raise Invalid(what=which, why="store, record, decisions")
    with _open_board(settings) as board:
        if which == "record":
            key = key_rotation.rotate_checkpoint_key(board, CLI_OPERATOR)
        elif which == "decisions":
            key = key_rotation.rotate_decision_key(
                board, CLI_OPERATOR, FileCredentialStore(settings.secrets)
            )
        else:
            for folder in _store_folders(settings, WitnessFiles.of(settings)):
                _rotate_store(board, folder)
            return
    sys.stdout.write(t("cli.keys.rotated", use=t(f"audit.use.{which}"), key=key) + "\n")


def _rotate_store(board: BoardContext, folder: Path) -> None:
    from guardia.board.integrity import key_rotation
    from guardia.org import master_key
    from guardia.org.credential_store import FileCredentialStore

    store = FileCredentialStore(folder)
    source = (master_key.next_key(folder) or store.master()).source
    count = store.rotate()
    key_rotation.log_store_rotation(board, CLI_OPERATOR, str(folder), count, source)
    sys.stdout.write(t("cli.keys.reencrypted", folder=folder, count=count) + "\n")
    if not master_key.current_key(folder).file:
        sys.stdout.write(t("cli.keys.hand_over", variable=master_key.KEY_VARIABLE) + "\n")
