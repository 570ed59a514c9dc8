"""`guardia cmdb`: institutions, servers and responsibilities as code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli import change_report
from guardia.cli.change_report import FileArgument, Output, SkipBad
from guardia.cli.console import console
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.cmdb.applying import ChangeSet
    from guardia.board.cmdb.changes import CmdbComparison

app = typer.Typer(no_args_is_help=True)
_EXIT_CHANGED = 2
"""Exit code of `cmdb plan` if applying would change something."""
_Yes = Annotated[bool, typer.Option("--yes", "-y", help=t("roster.cli.cmdb.yes"))]
_Keys = Annotated[
    bool, typer.Option("--replace-host-keys", help=t("roster.cli.server.replace_keys"))
]
_Number = Annotated[int, typer.Argument(help=t("roster.cli.cmdb.number"), min=0)]


@app.command("export", help=t("roster.cli.cmdb.export"))
def export(output: Output = None) -> None:
    """Print the CMDB as YAML."""
    from guardia.board.cmdb import cmdb_yaml, entries

    with change_report.open_board() as board:
        text = cmdb_yaml.export(entries.all_entries(board))
    change_report.write_output(text, output)


@app.command("plan", help=t("roster.cli.cmdb.plan"))
def plan(file: FileArgument, replace_keys: _Keys = False) -> None:
    """Print what applying a file would change; exit code 2 if there are changes."""
    from guardia.board.cmdb import applying

    given = _read(file, replace_keys)
    with change_report.open_board() as board:
        found = applying.preview(board, given)
    _print(found)
    if found.bad:
        raise typer.Exit(change_report.EXIT_BAD)
    raise typer.Exit(_EXIT_CHANGED if found.changes else 0)


@app.command("apply", help=t("roster.cli.cmdb.apply"))
def apply(
    file: FileArgument, yes: _Yes = False, skip_bad: SkipBad = False, replace_keys: _Keys = False
) -> None:
    """Apply a file; asks first if it removes something."""
    _apply(_read(file, replace_keys), yes=yes, skip_bad=skip_bad)


def _apply(given: ChangeSet, *, yes: bool, skip_bad: bool = False) -> None:
    from guardia.board.cmdb import applying, revisions

    with change_report.open_board() as board:
        found = applying.preview(board, given)
        _print(found)
        removed = found.count("removed")
        if removed and not yes and (skip_bad or not found.bad):
            typer.confirm(t("roster.cli.cmdb.removes", count=removed), abort=True)
        number, _ = applying.apply(
            board,
            CLI_OPERATOR,
            given,
            skip_bad=skip_bad,
            expected=revisions.digest(found.changes),
        )
    if number is not None:
        console().print(t("roster.cli.applied", number=number))


@app.command("history", help=t("roster.cli.cmdb.history"))
def history(
    entry: Annotated[str | None, typer.Option("--entry", help=t("roster.cli.cmdb.entry"))] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help=t("roster.cli.cmdb.limit"))
    ] = 20,
    before: Annotated[
        int | None, typer.Option("--before", help=t("roster.cli.cmdb.before"))
    ] = None,
) -> None:
    """Print the revisions, newest first."""
    from rich.table import Table

    from guardia.board.cmdb import entries
    from guardia.board.core import labels

    with change_report.open_board() as board:
        found = entries.history(board, before=before, limit=limit, key=entry)
    heads = ("number", "at", "author", "source", "changes")
    table = Table(*(t(f"roster.cli.cmdb.column.{name}") for name in heads))
    for one in found:
        at, author = labels.format_time(one.created_at), labels.actor_label({}, one.author)
        table.add_row(str(one.number), at, author, one.source, str(one.changes))
    console().print(table)


@app.command("diff", help=t("roster.cli.cmdb.diff"))
def diff(number: Annotated[int, typer.Argument(help=t("roster.cli.cmdb.number"), min=1)]) -> None:
    """Print what a revision changed."""
    from guardia.board.cmdb import entries

    with change_report.open_board() as board:
        change_report.print_changes(entries.changes_of(board, number))


@app.command("rollback", help=t("roster.cli.cmdb.rollback"))
def rollback(number: _Number, yes: _Yes = False) -> None:
    """Restore the state after a revision, as a new revision; 0: before the first one."""
    from guardia.board.cmdb import entries

    with change_report.open_board() as board:
        given = entries.rollback_to(board, number)
    _apply(given, yes=yes)


def _read(file: Path, replace_keys: bool) -> ChangeSet:
    from guardia.board.cmdb.imports.decoding import read_file
    from guardia.board.cmdb.yaml_file import read_change_set

    return read_change_set(read_file(file), replaces_keys=replace_keys)


def _print(found: CmdbComparison) -> None:
    change_report.print_problems(found)
    change_report.print_changes(found.changes)
    change_report.print_counts(found)
