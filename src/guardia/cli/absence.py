"""`guardia absence`: vacations and other absences, with a substitute or without."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.cli import change_report
from guardia.cli.change_report import DryRun, FileArgument, Output, SkipBad
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.approvals.absences import AbsenceRequest
    from guardia.board.cmdb.imports.tables import TableRows

app = typer.Typer(no_args_is_help=True)


@app.command("add", help=t("roster.cli.absence.add"))
def add(
    person: Annotated[str, typer.Argument(help=t("roster.cli.owner.person"))],
    first_day: Annotated[str, typer.Option("--from", help=t("roster.cli.first_day"))],
    last_day: Annotated[str, typer.Option("--to", help=t("roster.cli.last_day"))] = "",
    substitute: Annotated[
        str, typer.Option("--substitute", help=t("roster.cli.absence.substitute"))
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help=t("roster.cli.reason"))] = "",
) -> None:
    """Enter the days on which a person is away."""
    from guardia.board.approvals import absences

    values = {"person": person, "first_day": first_day, "last_day": last_day}
    wanted = _request({**values, "substitute": substitute, "reason": reason})
    with change_report.open_board() as board:
        added = absences.set_absences(board, CLI_OPERATOR, [wanted])
    sys.stdout.write(t("roster.cli.absence.added", count=added) + "\n")


def _request(values: dict[str, Any]) -> AbsenceRequest:
    """Return the request of a line. Raises `Invalid` for what is no date."""
    from guardia.board.approvals.absences import AbsenceRequest

    first = _day(values.get("first_day"))
    return AbsenceRequest(
        person=values.get("person") or "",
        first_day=first,
        last_day=_day(values["last_day"]) if values.get("last_day") else first,
        substitute=values.get("substitute") or "",
        reason=(values.get("reason") or "")[:200],
    )


def _day(text: object) -> date:
    try:
        return date.fromisoformat(str(text or ""))
    except ValueError:
        raise Invalid(what=str(text or "-")[:40], why=t("imports.bad.date.remedy")) from None


@app.command("list", help=t("roster.cli.list"))
def list_absences() -> None:
    """Print present and future absences."""
    from rich.table import Table

    from guardia.board.cmdb import responsibility_view
    from guardia.board.core.labels import format_time

    with change_report.open_board() as board:
        found = responsibility_view.absences(board)
    heads = ("number", "person", "begins", "ends", "substitute", "reason")
    table = Table(*(t(f"roster.column.{name}") for name in heads))
    for one in found:
        times = (format_time(one.begins, "short"), format_time(one.ends, "short"))
        who = f"{one.name} ({one.person})"
        table.add_row(str(one.number), who, *times, one.substitute or "-", one.reason)
    console().print(table)


@app.command("remove", help=t("roster.cli.absence.remove"))
def remove(number: Annotated[int, typer.Argument(help=t("roster.cli.absence.number"))]) -> None:
    """End an absence."""
    from guardia.board.approvals import absences

    with change_report.open_board() as board:
        absences.end_absence(board, CLI_OPERATOR, number)
    sys.stdout.write(t("roster.cli.absence.ended") + "\n")


@app.command("import", help=t("roster.cli.import"))
def import_absences(file: FileArgument, dry_run: DryRun = False, skip_bad: SkipBad = False) -> None:
    """Import absences from CSV or Excel."""
    from guardia.board.approvals import absences
    from guardia.board.cmdb.imports.decoding import read_file
    from guardia.board.cmdb.imports.layouts import ABSENCES
    from guardia.board.cmdb.imports.tables import read_table

    table = read_table(read_file(file), ABSENCES)
    wanted = _requests(table)
    with change_report.open_board() as board:
        requests = list(wanted.values())
        lines = list(wanted)
        for problem in absences.find_problems(board, requests):
            table.refuse(lines[problem.index], problem.key, value=problem.value)
            del wanted[lines[problem.index]]
        for bad in table.problems:
            console(stderr=True).print(str(bad), style="red", soft_wrap=True)
        if dry_run or (table.bad and not skip_bad):
            console().print(t("roster.cli.absence.would", count=len(wanted), bad=table.bad))
            raise typer.Exit(change_report.EXIT_BAD if table.bad else 0)
        added = absences.set_absences(board, CLI_OPERATOR, list(wanted.values()))
    sys.stdout.write(t("roster.cli.absence.added", count=added) + "\n")
    if table.bad:
        raise typer.Exit(change_report.EXIT_BAD)


def _requests(table: TableRows) -> dict[int, AbsenceRequest]:
    """Return the requests by line; lines without a date are noted."""
    found: dict[int, AbsenceRequest] = {}
    for line, values in table.rows:
        try:
            found[line] = _request(values)
        except Invalid:
            table.refuse(line, "date", value=f"{values.get('first_day') or '-'}")
    return found


@app.command("export", help=t("roster.cli.export"))
def export_absences(output: Output = None) -> None:
    """Export present and future absences as CSV."""
    from guardia.board.cmdb import responsibility_view
    from guardia.board.cmdb.imports.export import records_as_csv
    from guardia.board.organization import chart

    with change_report.open_board() as board:
        zone = chart.running(board)[1].company.zone
        rows = [
            {
                "person": one.person,
                "first_day": one.begins.astimezone(zone).date().isoformat(),
                "last_day": (one.ends.astimezone(zone) - timedelta(seconds=1)).date().isoformat(),
                "substitute": one.substitute,
                "reason": one.reason,
            }
            for one in responsibility_view.absences(board)
        ]
    change_report.write_output(records_as_csv("absence", rows), output)
