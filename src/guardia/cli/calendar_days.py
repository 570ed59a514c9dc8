"""`guardia calendar`: days off and worked days beside the public holidays."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help=t("service.cli.json"))]
_Institution = Annotated[str, typer.Option("--institution", help=t("service.cli.institution"))]


@app.command("list", help=t("service.cli.list"))
def list_(
    as_json: Annotated[bool, typer.Option("--json", help=t("service.cli.json"))] = False,
) -> None:
    """Print the days off of the next year."""
    from guardia.board.service_levels import calendar_view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = calendar_view.read_calendar(board, None).days
    if as_json:
        rows = [
            {
                "day": one.day.isoformat(),
                "name": one.name,
                "institution": one.institution,
                "is_open": one.is_open,
                "by_hand": one.by_hand,
            }
            for one in found
        ]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for one in found:
        weekday = t(f"service.weekday.{one.day.weekday()}")
        kind = t(f"service.day.{'open' if one.is_open else 'closed' if one.by_hand else 'public'}")
        place = one.institution or t("service.day.all")
        sys.stdout.write(f"{one.day} ({weekday}) {one.name} [{kind}] {place}\n")


@app.command("add", help=t("service.cli.add"))
def add(
    day: Annotated[str, typer.Argument(help=t("service.day.date"))],
    name: Annotated[str, typer.Argument(help=t("service.day.name"))],
    institution: _Institution = "",
    is_open: Annotated[bool, typer.Option("--open", help=t("service.cli.open"))] = False,
) -> None:
    """Add a day."""
    from guardia.board.service_levels import days

    with open_installation(Settings()) as installation, installation.board() as board:
        new = days.NewDay(days.parse_day(day), name, institution, is_open)
        days.add_day(board, CLI_OPERATOR, new)
    sys.stdout.write(f"{day} {name} {t('service.day.added')}\n")


@app.command("remove", help=t("service.cli.remove"))
def remove(
    day: Annotated[str, typer.Argument(help=t("service.day.date"))],
    institution: _Institution = "",
) -> None:
    """Remove a day."""
    from guardia.board.service_levels import days

    with open_installation(Settings()) as installation, installation.board() as board:
        days.remove_day(board, CLI_OPERATOR, days.parse_day(day), institution)
    sys.stdout.write(f"{day} {t('service.day.removed')}\n")
