"""`guardia maintenance`: periods in which alerts of monitoring systems open no issue."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("add", help=t("alerts.cli.add"))
def add(
    ends: Annotated[str, typer.Option("--until", help=t("alerts.cli.until"))],
    reason: Annotated[str, typer.Option("--reason", help=t("alerts.window.reason"))],
    begins: Annotated[str, typer.Option("--from", help=t("alerts.cli.begins"))] = "",
    server: Annotated[str, typer.Option("--server", help=t("alerts.window.server"))] = "",
    institution: Annotated[
        str, typer.Option("--institution", help=t("alerts.window.institution"))
    ] = "",
) -> None:
    """Declare a maintenance window."""
    from guardia.board.alerts import maintenance
    from guardia.board.approvals import start_time

    with open_installation(Settings()) as installation, installation.board() as board:
        now = board.clock()
        request = maintenance.WindowRequest(
            begins_at=start_time.read_start(board, begins) or now,
            ends_at=start_time.read_start(board, ends) or now,
            reason=reason,
            server=server,
            institution=institution,
        )
        number = maintenance.declare_window(board, CLI_OPERATOR, request)
    sys.stdout.write(t("alerts.cli.declared", number=number) + "\n")


@app.command("list", help=t("alerts.cli.list"))
def list_windows(
    ended: Annotated[bool, typer.Option("--all", help=t("alerts.cli.all"))] = False,
) -> None:
    """Print the maintenance windows that are not over."""
    from rich.table import Table

    from guardia.board.alerts import view
    from guardia.board.core.labels import format_time

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_windows(board, None, ended=ended)
    heads = ("id", "place", "begins", "ends", "reason", "by")
    table = Table(*(t(f"alerts.cli.column.{name}") for name in heads))
    for one in found:
        end = one.ended_at or one.ends_at
        times = format_time(one.begins_at, "short"), format_time(end, "short")
        table.add_row(str(one.window_id), one.place, *times, one.reason, one.declared_by)
    console().print(table)


@app.command("end", help=t("alerts.cli.end"))
def end(number: Annotated[int, typer.Argument(help=t("alerts.cli.number"))]) -> None:
    """End a maintenance window before its time."""
    from guardia.board.alerts import maintenance

    with open_installation(Settings()) as installation, installation.board() as board:
        maintenance.end_window(board, CLI_OPERATOR, number)
    sys.stdout.write(t("alerts.cli.ended", number=number) + "\n")
