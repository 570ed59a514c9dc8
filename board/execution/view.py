"""Read access of agents to their task: its request and its filed plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core import plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.core.run_model import ServerWait
from guardia.errors import NotFound

_RESTARTING = frozenset({"return", "reanalyze", "reopen"})
"""Directives after which an agent starts over, with their reason as guidance."""


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
    action_type: str | None
    """The work that is asked for, e.g. `RESTART`."""
    category: str | None
    """The issue's category, e.g. `DB`."""
    priority: str | None
    talk: tuple[str, ...]
    """Chat messages around the request, until it is triaged."""
    answered: tuple[str, ...]
    """The servers that the requester has named when asked."""
    given: dict[str, Any]
    """Fields of its triage that its source has settled, such as the servers of an alert."""
    attempt: int
    """How often people have given it back to agents."""
    plan_hash: str | None
    has_manual_plan: bool
    """Whether it executes a plan that a person has written."""
    is_waiting: bool
    """Whether its approved plan waits for its time or for another change of its server."""


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
            found.action_type,
            issue.category,
            issue.priority,
            tuple(issue.triage.get("talk", ())),
            tuple(issue.triage.get("answered", ())),
            dict(issue.triage.get("given", {})),
            found.attempt,
            found.plan_hash,
            found.status in (State.APPROVED, State.IN_PROGRESS)
            and Actor.kind_of(found.plan_author) is ActorKind.PERSON,
            found.status == State.APPROVED
            and (found.run_after is not None or session.get(ServerWait, task_id) is not None),
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


@dataclass(frozen=True, slots=True)
class PlanGuidance:
    """What people have said about a task's earlier plans: data for the agent, never orders."""

    requests: tuple[str, ...] = ()
    """Their requests in the present attempt, oldest first."""
    returned: Plan | None = None
    """The plan that they returned last, until another is filed."""
    excluded: tuple[Plan, ...] = ()
    """Plans that must not be proposed again."""
    replaced: tuple[Plan, ...] = ()
    """Plans that people replaced by their own: not to be proposed unless they ask for it."""
    starts_at: datetime | None = None
    """When the work may begin, by the request itself."""
    again: bool = False
    """Whether they want another diagnosis rather than a change of the plan."""


def guidance(board: BoardContext, task_id: int) -> PlanGuidance:
    """Return the guidance of people for a task's next plan."""
    with board.database.reading() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(what=f"task {task_id}")
        rows = [
            row for row in plan_versions.versions(session, [task_id]) if row.attempt == task.attempt
        ]
        asked = [row for row in rows if row.returned_as in plan_versions.RETURNED_TO_AGENT]
        last = rows[-1] if rows and rows[-1] in asked else None
        return PlanGuidance(
            requests=(*_reopening(session, task), *(row.request for row in asked)),
            returned=Plan.model_validate(last.plan) if last else None,
            excluded=tuple(Plan.model_validate(row.plan) for row in asked),
            replaced=tuple(
                Plan.model_validate(row.plan)
                for row, following in pairwise(rows)
                if Actor.kind_of(following.author) is ActorKind.PERSON
            ),
            starts_at=_start(session, task),
            again=last is not None and last.returned_as == "again",
        )


def _start(session: Session, task: Task) -> datetime | None:
    at = get_issue(session, task.sr_id).triage.get("starts_at")
    return datetime.fromisoformat(at) if at else None


def _reopening(session: Session, task: Task) -> tuple[str, ...]:
    """Return why people started the present attempt, if they did."""
    if not task.attempt:
        return ()
    query = select(Directive.verb, Directive.reason).where(Directive.task_id == task.task_id)
    last = session.execute(query.order_by(Directive.directive_id.desc()).limit(1)).one_or_none()
    return (last.reason,) if last and last.verb in _RESTARTING and last.reason else ()
