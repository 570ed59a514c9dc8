"""`guardia skill`: how well people know a field."""

from __future__ import annotations

from typing import Annotated

import typer

from guardia.cli import roster
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
roster.register(app, "skill")
_Person = Annotated[str, typer.Argument(help=t("roster.cli.owner.person"))]
_Skill = Annotated[str, typer.Argument(help=t("roster.cli.owner.skill"))]


@app.command("add", help=t("roster.cli.skill.add"))
def add(
    person: _Person,
    skill: _Skill,
    proficiency: Annotated[int, typer.Argument(help=t("roster.cli.level"))],
) -> None:
    """Enter a person's proficiency in a field."""
    roster.put("skill", "guardia skill add", person=person, skill=skill, proficiency=proficiency)


@app.command("remove", help=t("roster.cli.skill.remove"))
def remove(person: _Person, skill: _Skill) -> None:
    """Remove a person's proficiency in a field."""
    roster.remove("skill", "guardia skill remove", person=person, skill=skill)
