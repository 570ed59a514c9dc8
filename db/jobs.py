"""Jobs that begin exactly when a transaction commits, carried by procrastinate.

The board only names a job; ``heartbeat.queue`` holds the functions. A job is a wake-up, never
the truth: whoever runs it reads the tables again.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import procrastinate
from sqlalchemy.orm import Session

from guardia.db.engine import driver_connection


@cache
def _deferring_app() -> procrastinate.App:
    # Never opened: every defer below runs on the caller's own connection.
    return procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=""))


def defer(session: Session, name: str, *, lock: str | None = None, **args: Any) -> None:
    """Enqueue job ``name`` in the session's transaction; jobs of one ``lock`` run one by one.

    Duplicates are not dropped here: a dropped job may begin before this transaction commits and
    miss its cause. A job that finds nothing to do ends at once instead.
    """
    _deferring_app().configure_task(name, lock=lock, connection=driver_connection(session)).defer(
        **args
    )
