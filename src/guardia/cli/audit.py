"""``guardia audit``: prove that the record is whole."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from guardia.cli.installation import opened
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``verify`` a command of its own while it is the only one."""


@app.command("verify", help=t("cli.audit.verify"))
def verify(
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Walk the whole chain; exit code 1 and the first bad entry where it does not hold."""
    from guardia.board import audit

    with (
        opened(Settings()) as installation,
        installation.desk() as desk,
        desk.database.reading() as session,
    ):
        verdict = audit.verify_all(session)
    if as_json:
        words = {"intact": verdict.intact, "size": verdict.size, "bad": verdict.bad}
        sys.stdout.write(json.dumps({**words, "fault": verdict.fault}) + "\n")
    elif verdict.intact:
        sys.stdout.write(t("cli.audit.intact", size=verdict.size, head=verdict.head) + "\n")
    else:
        fault = t(f"cli.audit.fault.{verdict.fault}")
        sys.stdout.write(t("cli.audit.broken", bad=verdict.bad, fault=fault) + "\n")
    raise typer.Exit(0 if verdict.intact else 1)
