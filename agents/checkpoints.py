"""Where sleeping graphs are kept: LangGraph's own tables in the same PostgreSQL."""

from __future__ import annotations

import os

from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from guardia.db.engine import LASTING

# LangGraph sends traces to its maker's service where one of these is set in the environment.
_TRACING = (
    "LANGSMITH_TRACING",
    "LANGSMITH_TRACING_V2",
    "LANGCHAIN_TRACING",
    "LANGCHAIN_TRACING_V2",
)
os.environ.update(dict.fromkeys(_TRACING, "false"))


def setup(owner_dsn: str) -> None:
    """Create or update the tables, as the owner."""
    with PostgresSaver.from_conn_string(owner_dsn) as saver:
        saver.setup()


def open_pool(dsn: str) -> ConnectionPool[Connection[DictRow]]:
    """Connections for checkpoints; close it with the process."""
    return ConnectionPool(
        dsn,
        min_size=1,
        max_size=8,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row, **LASTING},
        # A connection that a restart of the database has cut is replaced, not handed out.
        check=ConnectionPool.check_connection,
        timeout=10.0,
        reconnect_timeout=3.0,
        open=True,
    )


def saver(pool: ConnectionPool[Connection[DictRow]]) -> PostgresSaver:
    """The checkpointer over such a pool."""
    return PostgresSaver(pool)
