"""The connection to PostgreSQL, and the only code that commits."""

from __future__ import annotations

import logging
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, wraps
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import psycopg
from sqlalchemy import Engine, create_engine, event, exc, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from guardia.errors import ClockOff, Misconfigured
from guardia.i18n import t

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

_CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Longest pause before each repetition of a transaction that lost a conflict."""
OUTAGE_ERRORS = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,  # raised if the server ended a session that idled in a transaction
    ClockOff,
)
"""Errors that a restart or loss of the database causes, or a wrong clock: retry later."""


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that describes its columns only to those who look.

    The engine asks every cursor whether there are any, and knows the columns from the statement.
    """

    @property
    def description(self) -> Any:
        """Describe the columns, or return `None` if there are none."""
        found = self.pgresult
        return None if found is None or not found.nfields else _Columns(self)


class _Columns(Sequence[psycopg.Column]):
    """The description of a cursor's columns, made at the first look."""

    def __init__(self, cursor: _Cursor) -> None:
        self._cursor = cursor

    @cached_property
    def _found(self) -> Sequence[psycopg.Column]:
        return psycopg.Cursor.description.__get__(self._cursor) or ()

    def __getitem__(self, place: Any) -> Any:
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)


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

_DRIVER = "db.driver_connection"
_PING_AFTER = 1.0
"""Seconds for which a connection must have been unused to be asked whether it still works."""


class Database:
    """A pool of connections under one role.

    `transaction` is the place that commits: one short transaction per use case, rolled back on any
    error. `reading` gives a read-only snapshot for pages. `statements` is for those few that are
    each complete by themselves.
    """

    def __init__(self, dsn: str, *, pool_size: int = 8) -> None:
        self.dsn = dsn
        url = _parse_address(dsn)
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            # Values of statements are people's texts and secrets: they are in no message or log.
            hide_parameters=True,
            connect_args={**CONNECTION_OPTIONS, "cursor_factory": _Cursor},
        )
        _ping_after_idling(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the transaction of one use case: commits at the end, rolls back on any error."""
        with (
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
            _one_connection(session),
        ):
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
            with _one_connection(session):
                yield session

    @contextmanager
    def statements(self) -> Iterator[Session]:
        """Open a session whose statements each take effect at once, without a transaction."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            yield session

    def glance(self, query: str, values: Mapping[str, Any]) -> Any:
        """Return the only row of one statement, without the round trips of a transaction."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            return driver.execute(query, values).fetchone()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _parse_address(dsn: str) -> URL:
    """Return a DSN as SQLAlchemy needs it. Raises `Misconfigured` if it is none; never shows it."""
    try:
        url = make_url(dsn)
        # The driver reads it, too, for the connections that we open ourselves.
        psycopg.conninfo.conninfo_to_dict(dsn)
    except (ValueError, exc.ArgumentError, psycopg.ProgrammingError):
        raise Misconfigured(what="GUARDIA_DSN", why=t("db.address")) from None
    return url.set(drivername="postgresql+psycopg")


def database_time(session: Session) -> datetime:
    """Return the database's time, for what must not wait for a check of this host's clock."""
    found: datetime = session.scalars(select(func.clock_timestamp())).one()
    return found


def repeat_on_conflict(use_case: Callable[P, R]) -> Callable[P, R]:
    """Repeat a use case whose transaction lost a deadlock or a serialization conflict.

    Its transaction was rolled back as a whole, so it begins again from what is true now.
    """

    @wraps(use_case)
    def repeated(*args: P.args, **words: P.kwargs) -> R:
        for pause in _PAUSES:
            try:
                return use_case(*args, **words)
            except (exc.DBAPIError, *_CONFLICTS) as error:
                if not isinstance(getattr(error, "orig", error), _CONFLICTS):
                    raise
                log.warning("%s lost a conflict; repeated", use_case.__qualname__)
            # Not all losers at the same moment again.
            time.sleep(random.uniform(pause / 2, pause))
        return use_case(*args, **words)

    return repeated


def _ping_after_idling(engine: Engine) -> None:
    """Replace connections that broke while they were unused, as after a restart of the database.

    One that was in use a moment ago is not asked: a round trip for every transaction, to notice
    only what the first statement notices too.
    """

    @event.listens_for(engine, "checkin")
    def checkin(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["unused_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def checkout(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        since = record.info.get("unused_since")
        if since is None or time.monotonic() - since < _PING_AFTER:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise exc.DisconnectionError(str(error)) from error


@contextmanager
def _one_connection(session: Session) -> Iterator[None]:
    """Let a session know its psycopg connection, once asked for, as long as its transaction."""
    session.info[_DRIVER] = None
    try:
        yield
    finally:
        del session.info[_DRIVER]


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """Return the psycopg connection of a session, for libraries that join its transaction."""
    known: psycopg.Connection[Any] | None = session.info.get(_DRIVER)
    if known is not None:
        return known
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    if _DRIVER in session.info:
        session.info[_DRIVER] = connection
    return connection
