"""Delete the saved steps of graphs whose task has ended: LangGraph's rows in our database."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.db.engine import repeat_on_conflict

_BATCH = 500
_TABLES = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")
_EXIST = text("select to_regclass('checkpoints') is not null")
# A thread is named `task-<id>`, with `-<attempt>` after people gave the task back. Earlier attempts
# of an open task are never resumed.
_ENDED = text(r"""
    select distinct thread_id from checkpoints
    left join tb_ops_task as task
        on task.task_id = (substring(thread_id from '^task-(\d{1,18})(?:-\d{1,9})?$'))::bigint
    where thread_id ~ '^task-\d{1,18}(-\d{1,9})?$' and (
        task.task_id is null
        or task.updated_at < :before and (
            task.status <> all(:open)
            or coalesce(substring(thread_id from '^task-\d+-(\d{1,9})$')::bigint, 0) < task.attempt
        ))
    limit :most
""")


@repeat_on_conflict
def delete_ended(board: BoardContext, keep: timedelta) -> int:
    """Delete the steps of tasks that ended more than `keep` ago; returns the number of graphs.

    Those of open tasks stay, however old: a task may wait for an approval for weeks.
    """
    parameters = {
        "before": board.clock() - keep,
        "open": [state.value for state in OPEN_STATES],
        "most": _BATCH,
    }
    count = 0
    while True:
        with board.database.transaction() as session:
            if not session.scalar(_EXIST):
                return count  # no graph has run here yet
            threads = list(session.scalars(_ENDED, parameters))
            for table in _TABLES:
                session.execute(
                    text(f"delete from {table} where thread_id = any(:threads)"),
                    {"threads": threads},
                )
        count += len(threads)
        if len(threads) < _BATCH:
            return count
