"""``guardia up | serve | worker``: run this installation, or one part of it."""

from __future__ import annotations

import logging
import sys

from guardia.cli.installation import migrate, opened
from guardia.i18n import t
from guardia.settings import Settings


def up() -> None:
    """Everything on one machine: database, board, clock and worker."""
    _run(board=True, worker=True)


def serve() -> None:
    """The board alone."""
    _run(board=True, worker=False)


def worker() -> None:
    """The clock and a worker alone; any number of hosts may run it."""
    _run(board=False, worker=True)


def _run(*, board: bool, worker: bool) -> None:
    from guardia.board.desk import organization
    from guardia.heartbeat import host
    from guardia.org import chart

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for noisy in ("procrastinate", "apscheduler", "httpx", "paramiko", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = Settings()
    with opened(settings) as installation:
        migrate(installation)
        with installation.desk() as desk:
            if not organization.has_chart(desk):
                path = settings.chart or chart.shipped()
                organization.apply_chart(desk, path.read_text("utf-8"), "operator:cli")
        host.run(settings, installation.app_dsn, host.Parts(board, worker), _say)


def _say(address: str) -> None:
    sys.stdout.write(t("cli.up.ready", address=address) + "\n")
    sys.stdout.flush()
