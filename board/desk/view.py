"""What agents read of the board: their task, its plan, the people who could answer for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from guardia.board.desk.core import Desk, issue_of
from guardia.board.lifecycle import OPEN, State
from guardia.board.model import Approval, Decision, Issue, Task
from guardia.board.plan import Plan
from guardia.errors import NotFound
from guardia.org.directory import PersonName
from guardia.org.model import Agent, Person, SystemOwner


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with the request it serves."""

    state: State
    title: str
    body: str
    server: str | None
    kind: str | None
    """The issue's kind, e.g. ``INCIDENT``."""
    category: str | None
    """The issue's category, e.g. ``DB``."""
    priority: str | None
    talk: tuple[str, ...]
    """What was said around the request, until it is triaged."""
    attempt: int
    """How often people have given it back to agents."""
    plan_hash: str | None
    written: bool
    """Whether it is to carry out a plan that a person has written."""


@dataclass(frozen=True, slots=True)
class IssueView:
    """An issue in one line."""

    state: State
    title: str


@dataclass(frozen=True, slots=True)
class PlanState:
    """A task's plan as it is filed."""

    plan: Plan | None
    plan_hash: str | None
    approved: bool
    stands: bool
    """Whether it still counts: not where people have sent it back."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engineer with what speaks for and against giving them an issue."""

    person: PersonName
    proficiency: int
    """1 to 5 on the server in question; 0 where they do not own it."""
    load: int
    """Open tasks they already answer for."""


@dataclass(frozen=True, slots=True)
class Specialist:
    """An agent that can be given work."""

    agent_id: str
    title: str
    skills: tuple[str, ...]
    load: int = 0
    """Tasks that it has still to work on."""


def task(desk: Desk, task_id: int) -> TaskView:
    """A task; ``NotFound`` else."""
    with desk.database.reading() as session:
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
            found.target_server,
            issue.kind,
            issue.category,
            issue.priority,
            tuple(issue.triage.get("talk", ())),
            found.attempt,
            found.plan_hash,
            found.status in (State.APPROVED, State.IN_PROGRESS)
            and (found.plan_author or "").startswith("person:"),
        )


def plan_state(desk: Desk, task_id: int) -> PlanState:
    """The filed plan, or an empty state."""
    with desk.database.reading() as session:
        row = session.get(Task, task_id)
        if row is None:
            raise NotFound(what=f"task {task_id}")
        plan = Plan.model_validate(row.plan) if row.plan else None
        state = State(row.status)
        return PlanState(plan, row.plan_hash, state is State.APPROVED, state is not State.PARSED)


def changes_wanted(desk: Desk, task_id: int) -> str | None:
    """What people want to be different of a plan that they sent back; ``None`` where they have
    not."""
    with desk.database.reading() as session:
        row = session.get(Task, task_id)
        if row is None or row.status != State.PARSED:
            return None
        said = session.scalar(
            select(Decision.reason)
            .join(Approval, Approval.approval_id == Decision.approval_id)
            .where(
                Approval.task_id == task_id,
                Approval.plan_hash == row.plan_hash,
                Decision.verdict == "change",
            )
            .order_by(Decision.decision_id.desc())
            .limit(1)
        )
        return said or ""


@dataclass(frozen=True, slots=True)
class WaitingPlan:
    """A plan that waits for the next person of its chain."""

    task_id: int
    plan_hash: str
    plan: Plan
    role: str
    """Whose turn it is."""
    quorum: int = 1
    given: int = 0
    """How many of the quorum have approved."""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FiledPlan:
    """A task's plan, whatever its state."""

    task_id: int
    state: State
    plan_hash: str
    plan: Plan


def changeable_plans(desk: Desk, sr_id: int) -> list[FiledPlan]:
    """The plans of an issue's open tasks, which people may still change."""
    with desk.database.reading() as session:
        issue_of(session, sr_id)
        rows = session.scalars(
            select(Task)
            .where(Task.sr_id == sr_id, Task.status.in_(OPEN), Task.plan_hash.is_not(None))
            .order_by(Task.task_id)
        )
        return [
            FiledPlan(r.task_id, State(r.status), r.plan_hash or "", Plan.model_validate(r.plan))
            for r in rows
        ]


def issue(desk: Desk, sr_id: int) -> IssueView:
    """An issue in one line; ``NotFound`` else."""
    with desk.database.reading() as session:
        row = issue_of(session, sr_id)
        return IssueView(State(row.status), row.title)


def waiting_plans(desk: Desk, sr_id: int) -> list[WaitingPlan]:
    """The plans of an issue that wait for a decision, with the role whose turn it is."""
    given = (
        select(func.count())
        .where(Decision.approval_id == Approval.approval_id)
        .correlate(Approval)
        .scalar_subquery()
    )
    with desk.database.reading() as session:
        rows = session.execute(
            select(
                Task.task_id,
                Task.plan_hash,
                Task.plan,
                Approval.role,
                Approval.quorum,
                given.label("given"),
                Approval.due_at,
            )
            .join(
                Approval,
                (Approval.task_id == Task.task_id) & (Approval.plan_hash == Task.plan_hash),
            )
            .where(
                Task.sr_id == sr_id,
                Task.status == State.PENDING_APPROVAL,
                Approval.state == "WAITING",
                Approval.opened_at.is_not(None),
            )
            .order_by(Task.task_id)
        )
        return [
            WaitingPlan(
                r.task_id,
                r.plan_hash,
                Plan.model_validate(r.plan),
                r.role,
                r.quorum,
                r.given,
                r.due_at,
            )
            for r in rows
        ]


def specialists(desk: Desk) -> list[Specialist]:
    """Active agents that operate servers with their open tasks, by id, in one query."""
    load = (
        select(Task.agent_id, func.count().label("tasks"))
        .where(Task.status.in_([s.value for s in OPEN - {State.MANUAL}]))
        .group_by(Task.agent_id)
        .subquery()
    )
    with desk.database.reading() as session:
        rows = session.execute(
            select(Agent, func.coalesce(load.c.tasks, 0))
            .outerjoin(load, load.c.agent_id == Agent.agent_id)
            .where(Agent.duty == "operate", Agent.state == "active")
            .order_by(Agent.agent_id)
        )
        return [Specialist(a.agent_id, a.title, tuple(a.skills), tasks) for a, tasks in rows]


def engineers(desk: Desk, server: str | None) -> list[Candidate]:
    """Engineers with their mastery of a server and their present load, in one query."""
    load = (
        select(Task.owner_id, func.count().label("tasks"))
        .where(Task.status.in_([s.value for s in OPEN]))
        .group_by(Task.owner_id)
        .subquery()
    )
    mastery = (
        select(SystemOwner.owner_id, func.max(SystemOwner.proficiency).label("proficiency"))
        .where(SystemOwner.server_id == server)
        .group_by(SystemOwner.owner_id)
        .subquery()
    )
    with desk.database.reading() as session:
        rows = session.execute(
            select(
                Person,
                func.coalesce(mastery.c.proficiency, 0),
                func.coalesce(load.c.tasks, 0),
            )
            .outerjoin(mastery, mastery.c.owner_id == Person.person_id)
            .outerjoin(load, load.c.owner_id == Person.person_id)
            .where(Person.role == "engineer", Person.active)
            .order_by(Person.person_id)
        )
        return [Candidate(p.name_card(), proficiency, tasks) for p, proficiency, tasks in rows]
