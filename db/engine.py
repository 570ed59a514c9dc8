"""The connection to PostgreSQL, and the only code that commits."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, exc
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

OUTAGE_ERRORS = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # raised if the server ended a session that idled in a transaction
)
"""Errors that a restart or loss of the database causes: retry later."""
CONNECTION_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        # One name for all sessions of a process: see `db.presence`.
        "application_name": f"guardia {secrets.token_hex(4)}@{socket.gethostname()}"[:63],
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        # Transactions are short and wait for nothing but the database. A process that is paused
        # inside one would keep its locks, among them the audit log's, for as long as the pause.
        "options": "-c timezone=UTC -c idle_in_transaction_session_timeout=10s",
    }
)
"""libpq parameters of every long-lived connection: both sides notice a vanished host within seconds
instead of a quarter of an hour."""


class Database:
    """A pool of connections under one role.

    `transaction` is the only place that commits: one short transaction per use case, rolled back on
    any error. `reading` gives a read-only snapshot for pages.
    """

    def __init__(self, dsn: str, *, pool_size: int = 8) -> None:
        self.dsn = dsn
        url = make_url(dsn).set(drivername="postgresql+psycopg")
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args=dict(CONNECTION_OPTIONS),
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the transaction of one use case: commits at the end, rolls back on any error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that cannot write."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection(
                execution_options={
                    "postgresql_readonly": True,
                    "isolation_level": "REPEATABLE READ",
                }
            )
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection of a session, for libraries that join its transaction."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection
