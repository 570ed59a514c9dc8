"""Move a task along its lifecycle and update the state of its issue."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, inspect, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from guardia.board.core import server_queue
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import (
    OPEN_STATES,
    ActorKind,
    Move,
    State,
    issue_state,
    next_state,
)
from guardia.board.core.model import Issue, Task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.db.engine import driver_connection
from guardia.db.entities import pending_values, take_as_written
from guardia.db.statement import Statement
from guardia.errors import IllegalMove, Stale
from guardia.org import registry

_QUEUED = (State.APPROVED, State.IN_PROGRESS)
"""States in which others may wait for a task to leave its server."""
_ROLLED_BACK = ((State.COMPLETED, Move.UNDO), (State.COMPLETED, Move.HAND_OVER))
"""Moves that end the rollback of a completed task."""
# Built once: composing them takes longer than running them.
_TASKS: Any = Task.__table__
_ISSUES: Any = Issue.__table__
_LOCK_ISSUE = "select goal_id from tb_sr_request where sr_id = %s for no key update"
_STATES = "select target_server, status from tb_ops_task where sr_id = %s order by task_id"
_SET_STATE = "update tb_sr_request set status = %s, updated_at = %s where sr_id = %s"


def move_task(
    session: Session, task: Task, move: Move, *, actor: ActorKind, now: datetime, **values: Any
) -> State:
    """Compare and set a task's state along the lifecycle, then update its issue's state.

    Raises `IllegalMove` if the move is not permitted, `Stale` if the task has changed.
    """
    state = State(task.status)
    target = next_state(state, move, actor)
    if target is None:
        raise IllegalMove(state=state.value, move=move.value)
    # What was set on the task before is written by the same statement.
    stored = inspect(task).committed_state
    seen = {"_task": task.task_id, "_status": stored.get("status", state.value)}
    seen["_fence"] = stored.get("fence", task.fence)
    new = {**pending_values(task), "status": target.value, "updated_at": now, **values}
    take_as_written(task, new)
    if (state in _QUEUED and move is not Move.START) or (state, move) in _ROLLED_BACK:
        # The lock of a server is taken before that of an issue.
        server_queue.leave(session, task, now)
    moved = _move_if_unchanged(tuple(new)).run(session, {**new, **seen}).fetchone()
    if moved is None:
        raise Stale(what=issue_ref(task.sr_id))
    _derive_state(session, task.sr_id, moved[0], now)
    return target


@cache
def _move_if_unchanged(names: tuple[str, ...]) -> Statement:
    """Return the compare-and-set of these columns of a task, which then locks its issue.

    A concurrent move of another task of the issue waits there, and then sees this one. The result
    is the issue's goal, or nothing if the task has changed.
    """
    column = _TASKS.c
    moved = (
        update(_TASKS)
        .where(
            column.task_id == bindparam("_task"),
            column.status == bindparam("_status"),
            column.fence == bindparam("_fence"),
        )
        .values({name: bindparam(name) for name in names})
        .returning(column.sr_id)
        .cte("moved")
    )
    issue = select(_ISSUES.c.goal_id).where(_ISSUES.c.sr_id == select(moved).scalar_subquery())
    return Statement(issue.with_for_update(key_share=True, of=_ISSUES))


def update_issue_state(session: Session, sr_id: int, now: datetime) -> None:
    """Derive an issue's state from those of its tasks."""
    # Everything that is pending first: the statements below do not pass through the session.
    session.flush()
    locked = driver_connection(session).execute(_LOCK_ISSUE, (sr_id,)).fetchone()
    _derive_state(session, sr_id, locked[0] if locked else None, now)


def _derive_state(session: Session, sr_id: int, goal: int | None, now: datetime) -> None:
    """Write the state of an issue, which is locked."""
    database = driver_connection(session)
    rows = database.execute(_STATES, (sr_id,)).fetchall()
    state = issue_state((server, State(status)) for server, status in rows)
    database.execute(_SET_STATE, (state.value, now, sr_id))
    issue = session.identity_map.get(identity_key(Issue, sr_id))
    if issue is not None:
        set_committed_value(issue, "status", state.value)
        set_committed_value(issue, "updated_at", now)
    if (
        goal is not None
        and state not in OPEN_STATES
        and (dispatcher := registry.dispatcher(session))
    ):
        # The dispatcher checks whether the goal is reached. The wake does not name the goal's own
        # issue: its row would be locked, and issues of one goal must not wait for one another.
        wake(session, dispatcher, WakeReason.GOAL, now, cause={"goal": goal, "ended": sr_id})
