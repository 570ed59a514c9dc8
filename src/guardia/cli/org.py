"""``guardia org``: check and apply the org chart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from guardia.cli.installation import migrate, opened
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)
_File = Annotated[Path | None, typer.Argument(help=t("cli.org.file"))]


@app.command("validate", help=t("cli.org.validate"))
def validate(file: _File = None) -> None:
    """Check a chart without touching anything."""
    from guardia.org import chart

    path, text = _read(file)
    found = chart.parse(text, path.name)
    sys.stdout.write(t("cli.org.valid", name=path.name, agents=len(found.agents)) + "\n")


@app.command("apply", help=t("cli.org.apply"))
def apply(file: _File = None) -> None:
    """Make a chart the running organization."""
    from guardia.board.desk import organization

    _, text = _read(file)
    with opened(Settings()) as installation:
        migrate(installation)
        with installation.desk() as desk:
            revision = organization.apply_chart(desk, text, "operator:cli")
    sys.stdout.write(t("cli.org.applied", revision=revision) + "\n")


def _read(file: Path | None) -> tuple[Path, str]:
    from guardia.org import chart

    path = file or Settings().chart or chart.shipped()
    if not path.is_file():
        raise Invalid(what=str(path), why=t("cli.db.no_file"))
    return path, path.read_text("utf-8")
