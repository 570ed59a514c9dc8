"""Read access of agents to their task: its request and its filed plan."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, State
from guardia.board.core.model import Issue, Task
from guardia.board.core.plan import Plan
from guardia.errors import NotFound


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with its issue's request."""

    state: State
    title: str
    body: str
    request: str
    """The title and the text: a web form's title is often the only place that names a server."""
    server: str | None
    kind: str | None
    """The issue's kind, e.g. `INCIDENT`."""
    category: str | None
    """The issue's category, e.g. `DB`."""
    priority: str | None
    talk: tuple[str, ...]
    """Chat messages around the request, until it is triaged."""
    attempt: int
    """How often people have given it back to agents."""
    plan_hash: str | None
    has_manual_plan: bool
    """Whether it executes a plan that a person has written."""


@dataclass(frozen=True, slots=True)
class PlanState:
    """A task's filed plan."""

    plan: Plan | None
    plan_hash: str | None
    approved: bool
    is_current: bool
    """Whether the plan is still in force. False after people have sent it back."""


def task(board: BoardContext, task_id: int) -> TaskView:
    """Return a task. Raises `NotFound` if it does not exist."""
    with board.database.reading() as session:
        row = session.execute(
            select(Task, Issue)
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(Task.task_id == task_id)
        ).one_or_none()
        if row is None:
            raise NotFound(what=f"task {task_id}")
        found, issue = row
        return TaskView(
            State(found.status),
            issue.title,
            issue.body,
            _request(issue),
            found.target_server,
            issue.kind,
            issue.category,
            issue.priority,
            tuple(issue.triage.get("talk", ())),
            found.attempt,
            found.plan_hash,
            found.status in (State.APPROVED, State.IN_PROGRESS)
            and Actor.kind_of(found.plan_author) is ActorKind.PERSON,
        )


def _request(issue: Issue) -> str:
    # Without a title of its own, an issue has the first line of its text as title.
    begun = issue.body.lstrip()[: len(issue.title)] == issue.title
    return issue.body if begun else f"{issue.title}\n{issue.body}"


def plan_state(board: BoardContext, task_id: int) -> PlanState:
    """Return the filed plan, or an empty state if none is filed.

    Raises `NotFound` if the task does not exist.
    """
    with board.database.reading() as session:
        row = session.get(Task, task_id)
        if row is None:
            raise NotFound(what=f"task {task_id}")
        plan = Plan.model_validate(row.plan) if row.plan else None
        state = State(row.status)
        return PlanState(plan, row.plan_hash, state is State.APPROVED, state is not State.PARSED)
