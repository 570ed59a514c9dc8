"""`guardia db`: the database's address, its migrations, and running SQL against it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from guardia.cli.installation import migrate as bring_up_to_date
from guardia.cli.installation import open_installation
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("url", help=t("cli.db.url"))
def url(
    owner: Annotated[bool, typer.Option("--owner", help=t("cli.db.owner"))] = False,
    report: Annotated[bool, typer.Option("--report", help=t("cli.db.report"))] = False,
) -> None:
    """Print the DSN of the application's, the owner's or the reporting role."""
    with open_installation(Settings()) as installation:
        if report and installation.report_dsn is None:
            raise Invalid(what="--report", why=t("cli.db.no_report"))
        dsn = installation.owner_dsn if owner else installation.app_dsn
        dsn = installation.report_dsn if report else dsn
        if dsn is None:
            raise Invalid(what="--owner", why=t("cli.db.no_owner"))
        sys.stdout.write(f"{dsn}\n")
        if installation.owns_database:
            sys.stderr.write(t("cli.db.not_running") + "\n")


@app.command("migrate", help=t("cli.db.migrate"))
def migrate() -> None:
    """Migrate the tables to this version."""
    with open_installation(Settings()) as installation:
        bring_up_to_date(installation)


@app.command("sql", help=t("cli.db.sql"))
def sql(
    file: Annotated[Path, typer.Argument(help=t("cli.db.file"))],
    owner: Annotated[bool, typer.Option("--owner", help=t("cli.db.owner"))] = False,
) -> None:
    """Run a file of statements and print their rows, separated by tabs."""
    import psycopg

    statements = read_text(file)
    with open_installation(Settings()) as installation:
        bring_up_to_date(installation)
        dsn = (owner and installation.owner_dsn) or installation.app_dsn
        try:
            with psycopg.connect(dsn) as connection:
                # Sent as one simple query: the server splits the statements, as for psql.
                cursor = connection.execute(statements.encode())
                _print_results(cursor)
        except psycopg.Error as error:
            raise Invalid(what=str(file), why=str(error).strip()) from error


def _print_results(cursor: Any) -> None:
    while True:
        if cursor.description:
            names = "\t".join(column.name for column in cursor.description)
            sys.stdout.write(f"{names}\n")
            for row in cursor:
                sys.stdout.write("\t".join(_cell(value) for value in row) + "\n")
            sys.stdout.write("\n")
        if not cursor.nextset():
            return


def _cell(value: Any) -> str:
    """Return a value on one line; empty for NULL."""
    if value is None:
        return ""
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
