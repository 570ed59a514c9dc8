"""`guardia duty`: the duty roster, its weekly pattern and its exceptions."""

from __future__ import annotations

from typing import Annotated

import typer

from guardia.cli import change_report, roster
from guardia.cli.console import console
from guardia.cli.moments import parse_moment
from guardia.i18n import t

app = typer.Typer(no_args_is_help=True)
roster.register(app, "duty")
roster.register(app, "duty_exception", prefix="except-")
_Id = Annotated[str, typer.Argument(help=t("roster.cli.duty.id"))]


@app.command("add", help=t("roster.cli.duty.add"))
def add(  # noqa: PLR0913, PLR0917 - Typer passes options by name
    duty: _Id,
    begins: Annotated[str, typer.Option("--from", help=t("roster.cli.duty.begins"))],
    ends: Annotated[str, typer.Option("--to", help=t("roster.cli.duty.ends"))],
    field: Annotated[str, typer.Option("--field", help=t("roster.cli.duty.field"))] = "*",
    days: Annotated[str, typer.Option("--days", help=t("roster.cli.duty.days"))] = "mon-sun",
    person: Annotated[str, typer.Option("--person", help=t("roster.cli.owner.person"))] = "",
    team: Annotated[str, typer.Option("--team", help=t("roster.cli.owner.team"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("roster.cli.owner.institution"))
    ] = "",
    holidays: Annotated[str, typer.Option("--holidays", help=t("roster.cli.duty.holidays"))] = "",
    zone: Annotated[str, typer.Option("--zone", help=t("roster.cli.duty.zone"))] = "",
    since: Annotated[str, typer.Option("--since", help=t("roster.cli.duty.since"))] = "",
    until: Annotated[str, typer.Option("--until", help=t("roster.cli.duty.until"))] = "",
) -> None:
    """Add or change a weekly duty."""
    from pydantic_core import PydanticCustomError

    from guardia.board.cmdb.imports.columns import read_days
    from guardia.errors import Invalid

    try:
        week = read_days(days)
    except PydanticCustomError:
        raise Invalid(what="--days", why=t("imports.bad.days.remedy")) from None
    roster.put(
        "duty",
        "guardia duty add",
        id=duty,
        field=field,
        institution=institution,
        person=person,
        team=team,
        days=week,
        begins=begins,
        ends=ends,
        zone=zone,
        holidays=holidays,
        since=since,
        until=until,
    )


@app.command("remove", help=t("roster.cli.duty.remove"))
def remove(duty: _Id) -> None:
    """Remove a duty with its exceptions."""
    from guardia.board.cmdb import entries
    from guardia.board.cmdb.applying import ChangeSet
    from guardia.errors import NotFound

    with change_report.open_board() as board:
        known = entries.all_entries(board)
    if duty not in known["duty"]:
        raise NotFound(what=duty)
    gone = {k for k, e in known["duty_exception"].items() if e["duty"] == duty}
    absent = {("duty", duty), *(("duty_exception", key) for key in gone)}
    change_report.run_single(ChangeSet([], source="guardia duty remove", absent=frozenset(absent)))


@app.command("except", help=t("roster.cli.duty.except"))
def add_exception(
    duty: _Id,
    first_day: Annotated[str, typer.Option("--from", help=t("roster.cli.first_day"))],
    last_day: Annotated[str, typer.Option("--to", help=t("roster.cli.last_day"))] = "",
    person: Annotated[str, typer.Option("--person", help=t("roster.cli.duty.instead"))] = "",
    reason: Annotated[str, typer.Option("--reason", help=t("roster.cli.reason"))] = "",
    remove: Annotated[bool, typer.Option("--remove", help=t("roster.cli.duty.unexcept"))] = False,
) -> None:
    """Have another person, or no one, take over a duty on some days."""
    key = {"duty": duty, "first_day": first_day}
    if remove:
        roster.remove("duty_exception", "guardia duty except", **key)
        return
    roster.put(
        "duty_exception",
        "guardia duty except",
        **key,
        last_day=last_day,
        person=person,
        reason=reason,
    )


@app.command("now", help=t("roster.cli.duty.now"))
def now(at: Annotated[str, typer.Option("--at", help=t("roster.cli.at"))] = "") -> None:
    """Print who is on duty now, or at a moment."""
    from rich.table import Table

    from guardia.board.cmdb import responsibility_view
    from guardia.board.core.labels import format_time

    with change_report.open_board() as board:
        found = responsibility_view.on_duty(board, parse_moment(board, at))
    heads = ("duty", "field", "institution", "person", "begins", "ends", "reason")
    table = Table(*(t(f"roster.column.{name}") for name in heads))
    for one in found:
        times = (format_time(one.begins, "short"), format_time(one.ends, "short"))
        row = (one.duty, one.field, one.institution or "-", one.person, *times, one.reason)
        table.add_row(*row)
    console().print(table)
