"""Commands that the groups `owner`, `skill`, `team` and `duty` share: list, import, export."""

from __future__ import annotations

from typing import Any

import typer

from guardia.cli import change_report
from guardia.cli.change_report import DryRun, FileArgument, Output, SkipBad
from guardia.cli.console import console
from guardia.i18n import t


def register(app: typer.Typer, kind: str, *, prefix: str = "") -> None:
    """Add the commands for one kind of entry."""

    def list_entries() -> None:
        """Print all entries."""
        print_entries(kind)

    def import_entries(
        file: FileArgument, dry_run: DryRun = False, skip_bad: SkipBad = False
    ) -> None:
        """Import entries from CSV or Excel; entries that the file does not name stay."""
        from guardia.board.cmdb.imports.decoding import read_file
        from guardia.board.cmdb.imports.reading import read_records

        given = read_records(read_file(file), kind)
        with change_report.open_board() as board:
            change_report.run_import(board, given, dry_run=dry_run, skip_bad=skip_bad)

    def export_entries(output: Output = None) -> None:
        """Export all entries as CSV."""
        from guardia.board.cmdb import entries
        from guardia.board.cmdb.imports.export import records_as_csv

        with change_report.open_board() as board:
            text = records_as_csv(kind, entries.entries(board, kind))
        change_report.write_output(text, output)

    if not prefix:
        app.command("list", help=t("roster.cli.list"))(list_entries)
    app.command(f"{prefix}import", help=t("roster.cli.import"))(import_entries)
    app.command(f"{prefix}export", help=t("roster.cli.export"))(export_entries)


def print_entries(kind: str) -> None:
    """Print the entries of a kind as a table with the columns of an export."""
    from rich.table import Table

    from guardia.board.cmdb import entries
    from guardia.board.cmdb.imports.layouts import LAYOUTS

    columns = LAYOUTS[kind].columns
    with change_report.open_board() as board:
        found = entries.entries(board, kind)
    table = Table(*(column.headers[0] for column in columns))
    for entry in found:
        values = (entry.get(column.field) for column in columns)
        cells = [
            c.write(v) if v not in (None, "", []) else "-"
            for c, v in zip(columns, values, strict=True)
        ]
        table.add_row(*cells)
    console().print(table)


def put(kind: str, source: str, **values: Any) -> None:
    """Add or change one entry; a value that is `None` was not given."""
    from guardia.board.cmdb.applying import ChangeSet
    from guardia.board.cmdb.changes import Draft

    given = {name: value for name, value in values.items() if value not in (None, "", [])}
    change_report.run_single(ChangeSet([Draft(kind, 1, given)], source=source))


def remove(kind: str, source: str, **key: str) -> None:
    """Remove one entry. Raises `NotFound` if there is none."""
    from guardia.board.cmdb import entries
    from guardia.board.cmdb.applying import ChangeSet
    from guardia.board.cmdb.records import KINDS, record_key
    from guardia.errors import NotFound

    name = record_key(KINDS[kind].KEYS, key)
    with change_report.open_board() as board:
        known = entries.all_entries(board)[kind]
    if name not in known:
        raise NotFound(what=name)
    change_report.run_single(ChangeSet([], source=source, absent=frozenset({(kind, name)})))
