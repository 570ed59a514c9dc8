"""`guardia team`: people who are responsible together."""

from __future__ import annotations

from typing import Annotated

import typer

from guardia.cli import roster
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
roster.register(app, "team")
_Id = Annotated[str, typer.Argument(help=t("roster.cli.team.id"))]


@app.command("add", help=t("roster.cli.team.add"))
def add(
    team: _Id,
    name: Annotated[str, typer.Option("--name", help=t("roster.cli.team.name"))] = "",
    members: Annotated[
        list[str] | None, typer.Option("--member", help=t("roster.cli.team.member"))
    ] = None,
    lead: Annotated[str, typer.Option("--lead", help=t("roster.cli.team.lead"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("roster.cli.owner.institution"))
    ] = "",
) -> None:
    """Create a team or change what is given."""
    roster.put(
        "team",
        "guardia team add",
        id=team,
        name=name,
        members=members,
        lead=lead,
        institution=institution,
    )


@app.command("remove", help=t("roster.cli.team.remove"))
def remove(team: _Id) -> None:
    """Remove a team."""
    roster.remove("team", "guardia team remove", id=team)
