"""Checkpoints of suspended graphs: LangGraph's own tables in the same PostgreSQL."""

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

_CLAIM: ContextVar[Claim] = ContextVar("claim")
# By fencing token alone: the step that ends a task releases it before its checkpoint is written.
_CLAIM_IS_CURRENT = "select true from tb_ops_task where task_id = %s and fence = %s for share"

# LangGraph sends traces to its vendor's service if one of these is set in the environment.
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
    """Open the connections for checkpoints; the caller closes them with the process."""
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
        # A connection that broke when the database restarted is replaced, not handed out.
        check=ConnectionPool.check_connection,
        timeout=10.0,
        reconnect_timeout=3.0,
        open=True,
    )


def saver(pool: ConnectionPool[Connection[DictRow]]) -> PostgresSaver:
    """Return the checkpointer over a pool."""
    return _FencedSaver(pool)


@contextmanager
def fenced_by(claim: Claim) -> Iterator[None]:
    """Write checkpoints in this block for `claim`, and only while it is current."""
    before = _CLAIM.set(claim)
    try:
        yield
    finally:
        _CLAIM.reset(before)


class _FencedSaver(PostgresSaver):
    """Requires a current claim for every write.

    Otherwise a worker that was paused would reset a task's graph to an earlier step.
    """

    def __init__(self, pool: ConnectionPool[Connection[DictRow]]) -> None:
        super().__init__(pool)
        self._pool = pool

    def put(self, *given: Any, **more: Any) -> RunnableConfig:
        """Write a checkpoint. Raises `Stale` if the claim is not current."""
        with self._locked() as saver:
            return saver.put(*given, **more)

    def put_writes(self, *given: Any, **more: Any) -> None:
        """Write intermediate results. Raises `Stale` if the claim is not current."""
        with self._locked() as saver:
            saver.put_writes(*given, **more)

    @contextmanager
    def _locked(self) -> Iterator[PostgresSaver]:
        claim = _CLAIM.get()
        with self._pool.connection() as connection, connection.transaction():
            # Locked in share mode until the commit: nothing can reclaim the task in between.
            found = connection.execute(_CLAIM_IS_CURRENT, (claim.task_id, claim.fence)).fetchone()
            if found is None:
                raise Stale(what=issue_ref(claim.sr_id))
            yield PostgresSaver(connection)
