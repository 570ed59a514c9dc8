"""Move a task along its lifecycle and update the state of its issue."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CursorResult, bindparam, select, update
from sqlalchemy.orm import Session

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
from guardia.errors import IllegalMove, Stale
from guardia.org import registry

_QUEUED = (State.APPROVED, State.IN_PROGRESS)
"""States in which others may wait for a task to leave its server."""
_ROLLED_BACK = ((State.COMPLETED, Move.UNDO), (State.COMPLETED, Move.HAND_OVER))
"""Moves that end the rollback of a completed task."""
# Built once: composing them takes longer than running them.
_ISSUE = bindparam("issue", type_=BigInteger())
_GOAL = select(Issue.goal_id).where(Issue.sr_id == _ISSUE).with_for_update(key_share=True)
_STATES = select(Task.target_server, Task.status).where(Task.sr_id == _ISSUE).order_by(Task.task_id)


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
    changed = session.execute(
        update(Task)
        .where(Task.task_id == task.task_id, Task.status == state, Task.fence == task.fence)
        .values(status=target.value, updated_at=now, **values)
        .execution_options(synchronize_session="evaluate")
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise Stale(what=issue_ref(task.sr_id))
    if (state in _QUEUED and move is not Move.START) or (state, move) in _ROLLED_BACK:
        server_queue.leave(session, task, now)
    update_issue_state(session, task.sr_id, now)
    return target


def update_issue_state(session: Session, sr_id: int, now: datetime) -> None:
    """Derive an issue's state from those of its tasks."""
    # A concurrent move of another task of the issue waits here, then sees this move.
    goal = session.scalar(_GOAL, {"issue": sr_id})
    tasks = session.execute(_STATES, {"issue": sr_id}).all()
    state = issue_state((row.target_server, State(row.status)) for row in tasks)
    session.execute(
        update(Issue).where(Issue.sr_id == sr_id).values(status=state.value, updated_at=now)
    )
    if (
        goal is not None
        and state not in OPEN_STATES
        and (dispatcher := registry.dispatcher(session))
    ):
        # The dispatcher checks whether the goal is reached. The wake does not name the goal's own
        # issue: its row would be locked, and issues of one goal must not wait for one another.
        wake(session, dispatcher, WakeReason.GOAL, now, cause={"goal": goal, "ended": sr_id})
