"""`guardia institution`: the institutions that are served."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from guardia.cli import server_env
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
_Id = Annotated[str, typer.Argument(help=t("cli.institution.id"))]
_Name = Annotated[str | None, typer.Option("--name", help=t("cli.institution.name"))]
_Alias = Annotated[list[str] | None, typer.Option("--alias", help=t("cli.institution.alias"))]
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


@app.command("add", help=t("cli.institution.add"))
def add(
    institution: Annotated[str | None, typer.Argument(help=t("cli.institution.id"))] = None,
    name: _Name = None,
    alias: _Alias = None,
    as_json: _Json = False,
) -> None:
    """Register an institution."""
    from guardia.board.cmdb import institutions
    from guardia.org.directory import InstitutionInfo

    number = server_env.ask(institution, "cli.institution.id")
    given = InstitutionInfo(
        id=number,
        name=server_env.ask(name, "cli.institution.name"),
        aliases=tuple(alias or ()),
    )
    with server_env.open_board() as board:
        institutions.add(board, CLI_OPERATOR, given)
    if as_json:
        server_env.print_json(given.model_dump(mode="json"))
    else:
        server_env.print_line("cli.institution.added", {"id": given.id})


@app.command("list", help=t("cli.institution.list"))
def list_institutions(
    text: Annotated[str, typer.Option("--text", help=t("cli.institution.text"))] = "",
    after: Annotated[str | None, typer.Option("--after", help=t("cli.server.after"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    as_json: _Json = False,
) -> None:
    """List institutions with the number of their servers."""
    from guardia.board.cmdb import server_list

    with server_env.open_board() as board:
        rows, following = server_list.institutions(
            board, CLI_OPERATOR, text=text, after=after, size=limit
        )
    if as_json:
        found = [{**r.institution.model_dump(mode="json"), "servers": r.servers} for r in rows]
        server_env.print_json({"institutions": found, "after": following})
        return
    table = Table(*(t(f"cli.institution.column.{c}") for c in ("id", "name", "alias", "servers")))
    for row in rows:
        one = row.institution
        table.add_row(one.id, one.name, ", ".join(one.aliases) or "-", str(row.servers))
    console().print(table)
    if following:
        console().print(t("cli.server.more", after=following))


@app.command("edit", help=t("cli.institution.edit"))
def edit(institution: _Id, name: _Name = None, alias: _Alias = None) -> None:
    """Change an institution's name or aliases."""
    from guardia.board.cmdb import institutions

    with server_env.open_board() as board:
        changed = institutions.edit(
            board,
            CLI_OPERATOR,
            institution,
            name=name,
            aliases=None if alias is None else tuple(alias),
        )
    key = "cli.server.changed" if changed else "cli.server.same"
    server_env.print_line(key, {"id": institution, "what": "-"})


@app.command("remove", help=t("cli.institution.remove"))
def remove(institution: _Id) -> None:
    """Remove an institution without servers, people and open issues."""
    from guardia.board.cmdb import institutions

    with server_env.open_board() as board:
        institutions.remove(board, CLI_OPERATOR, institution)
    server_env.print_line("cli.server.removed", {"id": institution})
