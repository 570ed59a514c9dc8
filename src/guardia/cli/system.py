"""`guardia workers` and `guardia channel`: what the pages of the system show."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

channels_app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help=t("cli.json"))]


def workers(as_json: _Json = False) -> None:
    """Print the workers and the queue of jobs."""
    from guardia.board.runs import worker_view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = worker_view.read_queue(board, CLI_OPERATOR)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    screen = console()
    table = Table(*(t(f"wake.workers.{c}") for c in ("number", "state", "jobs")))
    for one in found.workers:
        state = t("wake.workers.alive" if one.alive else "wake.workers.silent")
        table.add_row(str(one.number), state, ", ".join(one.names) or "-")
    screen.print(table)
    jobs = Table(*(t(f"wake.workers.{c}") for c in ("job", "state", "count")))
    for row in found.queue:
        jobs.add_row(row.name, t(f"wake.workers.status.{row.status}"), str(row.jobs))
    screen.print(jobs)


@channels_app.command("list", help=t("accounts.cli.channels"))
def list_channels(as_json: _Json = False) -> None:
    """Print which channels are set up."""
    from guardia.board.intake import channel_tests

    settings = Settings()
    with open_installation(settings) as installation, installation.board() as board:
        found = channel_tests.channels(board, CLI_OPERATOR, settings)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    table = Table(
        t("notices.channels.title"), t("notices.channels.receives"), t("notices.channels.sends")
    )
    for one in found:
        words = [
            t(f"notices.channels.{'set' if on else 'unset'}") for on in (one.receives, one.sends)
        ]
        table.add_row(one.name, *words)
    console().print(table)


@channels_app.command("test", help=t("accounts.cli.test"))
def test_channel(
    channel: Annotated[str, typer.Argument(help=t("notices.channels.title"))],
    room: Annotated[str, typer.Argument(help=t("notices.channels.room"))],
) -> None:
    """Send a test message to a room of a channel."""
    from guardia.board.intake import channel_tests

    settings = Settings()
    with open_installation(settings) as installation, installation.board() as board:
        number = channel_tests.send_test(board, CLI_OPERATOR, settings, channel, room)
    sys.stdout.write(t("notices.channels.queued", number=number) + "\n")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
