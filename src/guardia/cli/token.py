"""`guardia token`: access tokens for a person's own programs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("create", help=t("cli.token.create"))
def create(
    name: Annotated[str, typer.Argument(help=t("cli.token.name"))],
    who: As,
    may: Annotated[list[str], typer.Option("--may", help=t("cli.token.may"))],
    days: Annotated[int, typer.Option("--days", help=t("cli.token.days"))] = 90,
) -> None:
    """Create a token and print it, this once."""
    from guardia.board.accounts import tokens

    with open_installation(Settings()) as installation, installation.board() as board:
        secret = tokens.create_token(board, authenticate(board, who), name, may, days)
    console(stderr=True).print(t("cli.token.created"))
    sys.stdout.write(secret + "\n")


@app.command("list", help=t("cli.token.list"))
def list_tokens(who: As) -> None:
    """List the person's own tokens."""
    from guardia.board.accounts import tokens
    from guardia.board.core.labels import format_time

    with open_installation(Settings()) as installation, installation.board() as board:
        found = tokens.list_tokens(board, authenticate(board, who))
    columns = ("number", "name", "rights", "ends", "state")
    table = Table(*(t(f"cli.token.column.{c}") for c in columns))
    for one in found:
        state = t("cli.token.revoked" if one.revoked else "cli.token.valid")
        ends = format_time(one.expires_at)
        table.add_row(str(one.token_id), one.name, ", ".join(one.rights), ends, state)
    console().print(table)


@app.command("revoke", help=t("cli.token.revoke"))
def revoke(
    number: Annotated[int, typer.Argument(help=t("cli.token.column.number"))], who: As
) -> None:
    """Revoke a token at once."""
    from guardia.board.accounts import tokens

    with open_installation(Settings()) as installation, installation.board() as board:
        tokens.revoke_token(board, authenticate(board, who), number)
    sys.stdout.write(t("cli.token.ended") + "\n")
