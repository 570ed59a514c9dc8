"""`guardia status`: the checks of `/readyz`, for a person on the host."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.installation import embedded_cluster, open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.site.readiness import Facts, Readiness


def status(as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False) -> None:
    """Show whether this installation can work; exit code 1 if it cannot. Starts nothing."""
    found = _readiness(Settings())
    if as_json:
        found_json = {"ready": found.ready, "checks": found.checks}
        sys.stdout.write(json.dumps(found_json) + "\n")
    else:
        for name, facts in found.checks.items():
            sys.stdout.write(_line(name, facts) + "\n")
    raise typer.Exit(0 if found.ready else 1)


def _readiness(settings: Settings) -> Readiness:
    from guardia.board.site import readiness

    if settings.dsn is None and embedded_cluster(settings).pid is None:
        return readiness.without_database(settings)
    with open_installation(settings) as installation, installation.board(signing=False) as board:
        return readiness.check(board, settings)


def _line(name: str, facts: Facts) -> str:
    state = t("cli.status.ok") if facts["ok"] else t("cli.status.not_ok")
    numbers = [f"{key}={value}" for key, value in facts.items() if key != "ok"]
    return " ".join([state, t(f"cli.status.check.{name}"), *numbers])
