"""`guardia up | serve | worker`: run this installation, or one part of it."""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from guardia import logs
from guardia.cli import chart_file
from guardia.cli.installation import Installation, migrate, open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.i18n import t
from guardia.settings import Settings

log = logging.getLogger(__name__)

_DATABASE_TIMEOUT = 60.0
"""Seconds until an unreachable database is an error."""

Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, max=64, help=t("cli.worker.concurrency"))
]
LivenessFile = Annotated[Path | None, typer.Option("--alive", help=t("cli.worker.alive"))]


def up(concurrency: Concurrency = 8) -> None:
    """Run everything on one machine: database, board, scheduler and worker."""
    _run(board=True, worker=True, concurrency=concurrency)


def serve() -> None:
    """Run the board alone."""
    _run(board=True, worker=False)


def worker(concurrency: Concurrency = 8, alive: LivenessFile = None) -> None:
    """Run the scheduler and a worker; any number of hosts may do so."""
    _run(board=False, worker=True, concurrency=concurrency, alive=alive)


def _run(*, board: bool, worker: bool, concurrency: int = 8, alive: Path | None = None) -> None:
    from guardia.heartbeat import host

    # Stop in order even during startup, before the event loop handles signals.
    signal.signal(signal.SIGTERM, _exit)
    for noisy in ("procrastinate", "apscheduler", "httpx", "paramiko", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = Settings()
    logs.configure(settings.log_file, settings.log_megabytes)
    with open_installation(settings, keep=True) as installation:
        _prepare(installation, settings)
        parts = host.HostOptions(board, worker, concurrency, alive)
        host.run(settings, installation.app_dsn, parts, _print_address)


def _prepare(installation: Installation, settings: Settings) -> None:
    """Create tables and a chart if there are none; waits for a database that is starting."""
    from guardia.db.engine import OUTAGE_ERRORS

    deadline = time.monotonic() + _DATABASE_TIMEOUT
    while True:
        try:
            migrate(installation)
            return _apply_first_chart(installation, settings)
        except OUTAGE_ERRORS as error:
            if time.monotonic() > deadline:
                raise
            log.warning("database not available yet: %s", type(error).__name__)
            time.sleep(1.0)


def _apply_first_chart(installation: Installation, settings: Settings) -> None:
    from guardia.board.organization import chart

    with installation.board() as board:
        if not chart.has_chart(board):
            chart.apply_chart(board, chart_file.read_chart_file(settings.chart).text, CLI_OPERATOR)


def _exit(*_: object) -> NoReturn:
    raise SystemExit(0)


def _print_address(address: str) -> None:
    sys.stdout.write(t("cli.up.ready", address=address) + "\n")
    sys.stdout.flush()
