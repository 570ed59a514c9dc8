"""Select the task that an agent claims next: tasks of lost workers first, then by priority.

A lookup reads a few rows, however many tasks wait: it follows two partial indexes in this order,
one of tasks that can always be claimed and one of tasks that need a free slot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Text,
    all_,
    and_,
    bindparam,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from guardia.board.core.lifecycle import State
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.core.plan_model import PlanVersion
from guardia.board.core.run_model import ServerWait
from guardia.db.entities import Entities
from guardia.db.statement import Statement, constant
from guardia.org.model import Agent

_ALWAYS = (State.RECEIVED, State.APPROVED, State.IN_PROGRESS)
CLAIMABLE_STATES = (*_ALWAYS, State.PARSED)
"""States in which it is an agent's turn."""
_BEGUN = (State.PENDING_APPROVAL, State.APPROVED, State.IN_PROGRESS)
"""States in which a task counts towards its agent's parallel tasks."""
ROLLBACK_TASKS = select(Directive.task_id).where(Directive.state == "UNDOING")
"""Tasks that an agent still has to roll back by a person's directive."""
CHECK_TASKS = (
    select(PlanVersion.task_id)
    .join(Task, (Task.task_id == PlanVersion.task_id) & (Task.plan_hash == PlanVersion.plan_hash))
    .where(PlanVersion.checks_due, Task.status == State.PENDING_APPROVAL, ~Task.paused)
)
"""Tasks whose plan a person wrote and whose pre-checks an agent still has to run."""
NOW = bindparam("now", type_=DateTime(timezone=True))
AGENT = bindparam("agent", type_=Text())
_STALLED = select(Issue.sr_id).where(Issue.stalled_at.is_not(None))
_WAITING = select(ServerWait.task_id).where(ServerWait.holder_id.is_not(None))
"""Tasks that wait until another change of their server has ended."""
_ORDER = (Task.lost_at, Task.priority, Task.task_id)


def has_claimable_task(agent_id: Any) -> ColumnElement[bool]:
    """Return whether a task waits that an agent may claim at time `:now`."""
    new = _exists(agent_id, (State.PARSED,))
    return or_(_exists(agent_id, _ALWAYS), and_(_has_room(agent_id), new))


def _exists(agent_id: Any, states: Collection[State]) -> ColumnElement[bool]:
    # The first in order, not any: that is one step into the index, whatever other rows exist.
    first = select(Task.task_id).where(_is_claimable(agent_id, states)).order_by(*_ORDER).limit(1)
    return first.correlate(Agent).scalar_subquery().is_not(None)


def next_task(session: Session, parameters: Mapping[str, Any]) -> Task | None:
    """Return the next task, locked; `parameters` are `agent`, `now`, and `done` task ids.

    Waits for a person who is writing to it: a skipped task would not be looked at again.
    """
    while (task_id := _NEXT.first(session, parameters)) is not None:
        task = _LOCK.first(session, {**parameters, "task": task_id})
        if task is not None:
            return task
    return None


def _is_claimable(agent_id: Any, states: Collection[State]) -> ColumnElement[bool]:
    # As constants, so that the planner can use the partial index in a prepared statement.
    named = [constant(state.value) for state in states]
    return and_(
        Task.agent_id == agent_id,
        Task.status.in_(named),
        ~Task.paused,
        Task.task_id.not_in(ROLLBACK_TASKS),
        Task.task_id.not_in(_WAITING),
        Task.sr_id.not_in(_STALLED),
        # Approved now, run later.
        or_(Task.run_after.is_(None), Task.run_after <= NOW),
    )


def _has_room(agent_id: Any) -> ColumnElement[bool]:
    """Return whether an agent may start another task beside its current ones."""
    begun, agent = aliased(Task), aliased(Agent)
    limit = select(agent.spec["limits"]["parallel_tasks"].as_integer()).where(
        agent.agent_id == agent_id
    )
    # Not correlated with the task: it would be counted again for each that waits.
    most = limit.correlate(Agent).scalar_subquery()
    last = (
        select(begun.task_id)
        .where(
            begun.agent_id == agent_id,
            begun.status.in_([constant(state.value) for state in _BEGUN]),
        )
        .correlate(Agent)
        .offset(most - 1)
        .limit(1)
    )
    return or_(most.is_(None), ~last.exists())


def _next() -> Select[Any]:
    always, new = _first(_ALWAYS), _first((State.PARSED,), _has_room(AGENT))
    found = union_all(select(always), select(new)).subquery()
    order = (found.c.lost_at, found.c.priority, found.c.task_id)
    return select(found.c.task_id).order_by(*order).limit(1)


def _first(states: Collection[State], *more: ColumnElement[bool]) -> Any:
    # An array: one prepared statement, however many tasks a beat has already done.
    others = Task.task_id != all_(bindparam("done", type_=ARRAY(BigInteger)))
    found = select(*_ORDER).where(_is_claimable(AGENT, states), others, *more)
    return found.order_by(*_ORDER).limit(1).subquery()


def _lock() -> Select[Any]:
    new = and_(_is_claimable(AGENT, (State.PARSED,)), _has_room(AGENT))
    still = or_(_is_claimable(AGENT, _ALWAYS), new)
    query = select(Task).where(Task.task_id == bindparam("task"), still)
    return query.with_for_update(of=Task, key_share=True)


# Built once: composing the statements takes longer than running them.
_NEXT, _LOCK = Statement(_next()), Entities(Task, _lock())
