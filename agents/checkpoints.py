"""Where sleeping graphs are kept: LangGraph's own tables in the same PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from guardia.board.core.claims import Claim
from guardia.board.core.issue_ref import issue_ref
from guardia.db.engine import CONNECTION_OPTIONS
from guardia.errors import Stale

_CLAIM: ContextVar[Claim] = ContextVar("hold")
# By the fence alone: the step that ends a task lets it go before its checkpoint is written.
_CLAIM_IS_CURRENT = "select true from tb_ops_task where task_id = %s and fence = %s for share"

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
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            **CONNECTION_OPTIONS,
        },
        # A connection that a restart of the database has cut is replaced, not handed out.
        check=ConnectionPool.check_connection,
        timeout=10.0,
        reconnect_timeout=3.0,
        open=True,
    )


def saver(pool: ConnectionPool[Connection[DictRow]]) -> PostgresSaver:
    """The checkpointer over such a pool."""
    return _FencedSaver(pool)


@contextmanager
def fenced_by(claim: Claim) -> Iterator[None]:
    """Within it, checkpoints are written for this hold and only while it is worth something."""
    before = _CLAIM.set(claim)
    try:
        yield
    finally:
        _CLAIM.reset(before)


class _FencedSaver(PostgresSaver):
    """Otherwise a paused worker that wakes up would put a task's graph back to where it was."""

    def __init__(self, pool: ConnectionPool[Connection[DictRow]]) -> None:
        super().__init__(pool)
        self._pool = pool

    def put(self, *given: Any, **more: Any) -> RunnableConfig:
        """As ``PostgresSaver.put``; ``Stale`` where the hold is worth nothing any more."""
        with self._held() as held:
            return held.put(*given, **more)

    def put_writes(self, *given: Any, **more: Any) -> None:
        """As ``PostgresSaver.put_writes``; ``Stale`` as above."""
        with self._held() as held:
            held.put_writes(*given, **more)

    @contextmanager
    def _held(self) -> Iterator[PostgresSaver]:
        claim = _CLAIM.get()
        with self._pool.connection() as connection, connection.transaction():
            # Shared until the write is committed: nobody can take the task in between.
            found = connection.execute(_CLAIM_IS_CURRENT, (claim.task_id, claim.fence)).fetchone()
            if found is None:
                raise Stale(what=issue_ref(claim.sr_id))
            yield PostgresSaver(connection)
