"""`guardia credential`: private keys and passwords by name; a secret is never an argument."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardia.cli import server_env
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid, NotFound
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help=t("cli.credential.name"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


@app.command("add", help=t("cli.credential.add"))
def add(
    credential: _Name,
    file: Annotated[Path | None, typer.Option("--file", help=t("cli.credential.file"))] = None,
    replace: Annotated[bool, typer.Option("--replace", help=t("cli.credential.replace"))] = False,
    as_json: _Json = False,
) -> None:
    """Store a private key or a password, from a file or standard input."""
    from guardia.board.cmdb import credentials

    store = server_env.credential_store()
    if store.find(credential) and not replace:
        raise Invalid(what=credential, why=t("cli.credential.taken"))
    secret = server_env.read_secret(file)
    kind = credentials.require_usable(credential, secret)
    with server_env.open_board() as board:
        store.put(credential, secret)
        credentials.record(board, CLI_OPERATOR, credential, kind, removed=False)
    if as_json:
        server_env.print_json({"name": credential, "kind": kind})
    else:
        server_env.print_line("cli.credential.added", {"name": credential})


@app.command("list", help=t("cli.credential.list"))
def list_credentials(as_json: _Json = False) -> None:
    """List the names of all credentials."""
    names = server_env.credential_store().names()
    if as_json:
        server_env.print_json(names)
    else:
        typer.echo("\n".join(names) or t("cli.credential.none"))


@app.command("remove", help=t("cli.credential.remove"))
def remove(credential: _Name) -> None:
    """Remove a credential that no server uses."""
    from guardia.board.cmdb import credentials

    store = server_env.credential_store()
    if not store.find(credential):
        raise NotFound(what=credential)
    with server_env.open_board() as board:
        credentials.require_unused(board, credential)
        store.remove(credential)
        credentials.record(board, CLI_OPERATOR, credential, "", removed=True)
    server_env.print_line("cli.credential.removed", {"name": credential})
