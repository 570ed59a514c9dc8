"""Show what an import or a plan would change, and which lines cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from guardia.cli.console import console
from guardia.cli.installation import migrate, open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.cmdb.applying import ChangeSet
    from guardia.board.cmdb.changes import CmdbComparison, CmdbDifference
    from guardia.board.core.context import BoardContext

EXIT_BAD = 3
"""Exit code if some lines could not be used."""
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}
_MAX_LINES = 200

FileArgument = Annotated[Path, typer.Argument(help=t("roster.cli.file"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=t("roster.cli.dry_run"))]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help=t("roster.cli.skip_bad"))]
Output = Annotated[Path | None, typer.Option("--output", "-o", help=t("roster.cli.output"))]


@contextmanager
def open_board() -> Iterator[BoardContext]:
    """Open the board of this installation with its tables up to date."""
    with open_installation(Settings()) as installation:
        migrate(installation)
        with installation.board() as board:
            yield board


def run_import(board: BoardContext, given: ChangeSet, *, dry_run: bool, skip_bad: bool) -> None:
    """Apply a set of changes, or show what it would change; then print the report."""
    from guardia.board.cmdb import applying

    screen = console()
    for note in given.notes:
        screen.print(note, style="yellow")
    if dry_run:
        found, number = applying.preview(board, given), None
        print_changes(found.changes)
    else:
        number, found = applying.apply(board, CLI_OPERATOR, given, skip_bad=skip_bad)
    print_problems(found)
    print_counts(found)
    if number is not None:
        screen.print(t("roster.cli.applied", number=number))
    elif dry_run:
        screen.print(t("roster.cli.nothing_written"))
    if found.bad:
        raise typer.Exit(EXIT_BAD)


def run_single(given: ChangeSet) -> None:
    """Apply the changes of one command and print them."""
    from guardia.board.cmdb import applying

    with open_board() as board:
        _, found = applying.apply(board, CLI_OPERATOR, given)
    print_changes(found.changes)
    if not found.changes:
        sys.stdout.write(t("roster.cli.same") + "\n")


def print_changes(changes: Sequence[CmdbDifference]) -> None:
    """Print changes, the first ones if there are many."""
    screen = console()
    for change in changes[:_MAX_LINES]:
        screen.print(Text(f"  {change}", _COLOURS[change.verb]), soft_wrap=True)
    if len(changes) > _MAX_LINES:
        screen.print("  " + t("imports.difference.more", count=len(changes) - _MAX_LINES))


def print_problems(found: CmdbComparison) -> None:
    """Print the lines that cannot be used."""
    screen = console(stderr=True)
    for problem in found.problems:
        screen.print(Text(str(problem), "red"), soft_wrap=True)
    if found.bad > len(found.problems):
        more = t("imports.more_bad", count=found.bad - len(found.problems))
        screen.print(Text(more, "red"))


def print_counts(found: CmdbComparison) -> None:
    """Print how many entries are added, changed, unchanged, removed and bad."""
    words = {verb: found.count(verb) for verb in ("added", "changed", "removed")}
    console().print(t("roster.cli.counts", unchanged=found.unchanged, bad=found.bad, **words))


def write_output(text: str, output: Path | None) -> None:
    """Write an export to a file, or print it."""
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, "utf-8", newline="")
    sys.stderr.write(t("roster.cli.written", path=output) + "\n")
