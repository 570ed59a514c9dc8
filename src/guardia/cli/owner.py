"""`guardia owner`: who is responsible for a server, an institution or a group of servers."""

from __future__ import annotations

from typing import Annotated

import typer

from guardia.cli import change_report, roster
from guardia.cli.console import console
from guardia.cli.moments import parse_moment
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
roster.register(app, "owner")
_Person = Annotated[str, typer.Option("--person", help=t("roster.cli.owner.person"))]
_Team = Annotated[str, typer.Option("--team", help=t("roster.cli.owner.team"))]
_Server = Annotated[str, typer.Option("--server", help=t("roster.cli.owner.server"))]
_Institution = Annotated[str, typer.Option("--institution", help=t("roster.cli.owner.institution"))]
_Group = Annotated[str, typer.Option("--group", help=t("roster.cli.owner.group"))]
_Skill = Annotated[str, typer.Option("--skill", help=t("roster.cli.owner.skill"))]


@app.command("add", help=t("roster.cli.owner.add"))
def add(  # noqa: PLR0917 - Typer passes options by name
    skill: _Skill,
    proficiency: Annotated[int, typer.Option("--proficiency", help=t("roster.cli.level"))],
    person: _Person = "",
    team: _Team = "",
    server: _Server = "",
    institution: _Institution = "",
    group: _Group = "",
    deputy: Annotated[bool, typer.Option("--deputy", help=t("roster.cli.owner.deputy"))] = False,
) -> None:
    """Make a person or a team responsible."""
    roster.put(
        "owner",
        "guardia owner add",
        person=person,
        team=team,
        server=server,
        institution=institution,
        group=group,
        skill=skill,
        proficiency=proficiency,
        duty="deputy" if deputy else "primary",
    )


@app.command("remove", help=t("roster.cli.owner.remove"))
def remove(
    skill: _Skill,
    person: _Person = "",
    team: _Team = "",
    server: _Server = "",
    institution: _Institution = "",
    group: _Group = "",
) -> None:
    """End a responsibility."""
    roster.remove(
        "owner",
        "guardia owner remove",
        person=person,
        team=team,
        server=server,
        institution=institution,
        group=group,
        skill=skill,
    )


@app.command("who", help=t("roster.cli.owner.who"))
def who(
    server: Annotated[str, typer.Argument(help=t("roster.cli.owner.server"))],
    skill: Annotated[str, typer.Option("--skill", help=t("roster.cli.owner.skill"))] = "",
    at: Annotated[str, typer.Option("--at", help=t("roster.cli.at"))] = "",
) -> None:
    """Print who is responsible for a server, in order, with the reasons."""
    from guardia.board.cmdb import responsibility_view, view

    with change_report.open_board() as board:
        field = skill or view.server(board, server).kind
        found = responsibility_view.responsible(board, server, field, parse_moment(board, at))
    screen = console()
    for place, one in enumerate(found, 1):
        name = f"{one.person.name} {one.person.title}".strip()
        screen.print(f"{place}. {name} ({one.person.id}): {', '.join(one.reasons)}", soft_wrap=True)
    if not found:
        screen.print(t("roster.cli.owner.no_one", server=server, skill=field))
