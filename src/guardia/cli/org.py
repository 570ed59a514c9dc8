"""`guardia org`: the org chart as code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from guardia.cli import chart_file
from guardia.cli.console import console
from guardia.cli.installation import migrate, open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.core.context import BoardContext
    from guardia.board.organization.chart import ChartPreview
    from guardia.org.chart_diff import ChartChange

app = typer.Typer(no_args_is_help=True)
_File = Annotated[Path | None, typer.Argument(help=t("cli.org.file"))]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help=t("cli.org.yes"))]
_Revision = Annotated[int, typer.Argument(help=t("cli.org.number"), min=1)]
_EXIT_CHANGED = 2
"""Exit code of `org plan` if applying would change something."""
_COLOURS = {"hired": "green", "added": "green", "fired": "red", "removed": "red"}


@app.command("validate", help=t("cli.org.validate"))
def validate(file: _File = None) -> None:
    """Check a chart without applying it."""
    from guardia.cli import chart_check

    read = chart_file.read_chart_file(file)
    parsed = chart_check.check_chart(read)
    words = {"name": read.path.name, "agents": len(parsed.agents)}
    sys.stdout.write(t("cli.org.valid", **words) + "\n")


@app.command("schema", help=t("cli.org.schema"))
def schema() -> None:
    """Print the chart's JSON Schema, for editors."""
    from guardia.org import chart_model
    from guardia.org import chart_schema as described

    found = described.json_schema(chart_model.OrgChart)
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")


@app.command("show", help=t("cli.org.show"))
def show(
    text: Annotated[bool, typer.Option("--yaml", help=t("cli.org.show_text"))] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help=t("cli.org.follow"))] = False,
) -> None:
    """Print the organization as a tree with everyone's current work, or its text."""
    from guardia.board.organization import chart
    from guardia.cli import org_tree

    with _open_board() as board:
        if text:
            sys.stdout.write(chart.running_text(board)[1])
        elif following:
            org_tree.follow(board, console())
        else:
            console().print(org_tree.tree(board))


@app.command("plan", help=t("cli.org.plan"))
def plan(file: _File = None) -> None:
    """Print what applying would change; exit code 2 if there are changes."""
    from guardia.board.organization import chart
    from guardia.cli import chart_check

    read = chart_file.read_chart_file(file)
    chart_check.check_chart(read)
    with _open_board() as board:
        preview = chart.preview(board, read.text)
    _print_preview(read, preview)
    raise typer.Exit(0 if preview.empty else _EXIT_CHANGED)


@app.command("apply", help=t("cli.org.apply"))
def apply(file: _File = None, yes: _Yes = False) -> None:
    """Apply a chart; asks first if it fires agents."""
    from guardia.board.organization import chart
    from guardia.cli import chart_check

    read = chart_file.read_chart_file(file)
    chart_check.check_chart(read)
    with _open_board() as board:
        preview = chart.preview(board, read.text)
        if preview.fired and not yes:
            _print_preview(read, preview)
            typer.confirm(t("cli.org.fires", agents=", ".join(preview.fired)), abort=True)
        revision = chart.apply_chart(board, read.text, CLI_OPERATOR, preview.running)
    sys.stdout.write(t("cli.org.applied", revision=revision) + "\n")


@app.command("history", help=t("cli.org.history"))
def history(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help=t("cli.org.limit"))] = 20,
    before: Annotated[int | None, typer.Option("--before", help=t("cli.org.before"))] = None,
) -> None:
    """Print the applied revisions, newest first."""
    from rich.table import Table

    from guardia.board.core import labels
    from guardia.board.core.keyset import Keyset
    from guardia.board.organization import chart, view

    with _open_board() as board:
        found = chart.history(board, Keyset(before=before, size=limit)).rows
        names = view.author_names(board, found)
    table = Table(*(t(f"cli.org.column.{name}") for name in ("revision", "at", "author", "sha256")))
    for one in found:
        at = labels.format_time(one.created_at)
        table.add_row(str(one.number), at, labels.actor_label(names, one.author), one.sha256[:12])
    console().print(table)


@app.command("diff", help=t("cli.org.diff"))
def diff(
    first: _Revision,
    second: Annotated[int | None, typer.Argument(help=t("cli.org.other"), min=1)] = None,
) -> None:
    """Print the differences between two revisions, or between one and the current one."""
    from guardia.board.organization import chart

    with _open_board() as board:
        last = second if second is not None else chart.running_text(board)[0]
        found = chart.changes_between(board, first, last)
    console().print(t("cli.org.between", before=first, after=last))
    _print_changes(found, wording=first != last)


@app.command("rollback", help=t("cli.org.rollback"))
def rollback(number: _Revision, yes: _Yes = False) -> None:
    """Apply an earlier revision's text as a new revision."""
    from guardia.board.organization import chart

    with _open_board() as board:
        preview = chart.preview(board, chart.chart_text(board, number))
        if preview.fired and not yes:
            _print_changes(preview.changes, wording=preview.wording)
            typer.confirm(t("cli.org.fires", agents=", ".join(preview.fired)), abort=True)
        revision = chart.rollback(board, number, CLI_OPERATOR, preview.running)
    sys.stdout.write(t("cli.org.applied", revision=revision) + "\n")
    sys.stdout.write(t("cli.org.file_stays") + "\n")


@contextmanager
def _open_board() -> Iterator[BoardContext]:
    with open_installation(Settings()) as installation:
        migrate(installation)
        with installation.board() as board:
            yield board


def _print_preview(file: chart_file.ChartFile, preview: ChartPreview) -> None:
    """Print what would change, and whose work would be reassigned."""
    screen = console()
    for person in preview.unknown_people:
        screen.print(t("cli.org.stranger", person=person), style="yellow")
    if preview.servers_without_engineer:
        servers = ", ".join(preview.servers_without_engineer)
        screen.print(t("cli.org.no_engineer", servers=servers), style="yellow")
    if preview.empty:
        words = {"name": file.path.name, "revision": preview.running}
        screen.print(t("cli.org.same", **words))
        return
    running = preview.running or "-"
    head = t("cli.org.drift", name=file.path.name, revision=running)
    screen.print(head)
    _print_changes(preview.changes, wording=preview.wording)
    for reassignment, tasks in preview.reassignments:
        words = {"agent": reassignment.agent_id, "heir": reassignment.successor_id, "tasks": tasks}
        screen.print(t("cli.org.handing", **words))


def _print_changes(found: list[ChartChange], *, wording: bool) -> None:
    screen = console()
    for change in found:
        style = _COLOURS.get(change.kind, "yellow")
        screen.print(Text(f"  {change}", style))
    if not found:
        key = "org.change.wording" if wording else "cli.org.nothing"
        screen.print(f"  {t(key)}")
