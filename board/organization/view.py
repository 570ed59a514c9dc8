"""Read the running organization: current work, paused agents, last beats, roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Task
from guardia.board.core.run_model import Run, Tick
from guardia.org import revisions
from guardia.org.access import PERMISSIONS, ROLES, is_allowed
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent, Person
from guardia.org.revisions import ChartRevision

_OPEN = [state.value for state in OPEN_STATES]


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """One agent now."""

    agent_id: str
    title: str
    duty: str
    superior: str | None
    skills: tuple[str, ...]
    adapter: str | None
    """Kind of external agent; `None` for an internal one."""
    paused: bool
    working: bool
    """Whether a beat of it is running."""
    sr_id: int | None
    """The issue that it has claimed."""
    open_tasks: int
    last_beat: datetime | None
    """When it last looked for work: a run, or a scheduled tick that found none."""


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """A person in a role."""

    person_id: str
    name: str | None
    """`None` without an active account that may approve: they can decide nothing."""


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role and the people who hold it."""

    role: str
    institution: str | None
    """`None`: for every institution without an assignment of its own."""
    holders: tuple[RoleHolder, ...]
    substitutes: tuple[RoleHolder, ...] = ()
    named: bool = True
    """Whether the chart names the holders; if not, they are all accounts of the role."""


@dataclass(frozen=True, slots=True)
class Organization:
    """The whole organization and its revision."""

    revision: int
    chart: OrgChart
    members: tuple[AgentStatus, ...]
    """In the chart's order."""
    posts: tuple[RoleAssignment, ...]
    position: int
    """Length of the audit log when it was read."""

    def direct_reports(self, superior: str | None) -> list[AgentStatus]:
        """Return the agents that report to `superior`; with `None`, those at the top."""
        return [m for m in self.members if m.superior == superior]


def organization(board: BoardContext) -> Organization:
    """Return the organization, in one query over agents.

    Raises `Misconfigured` before the first apply.
    """
    with board.database.reading() as session:
        chart = revisions.running_chart(session)
        order = {agent.id: number for number, agent in enumerate(chart.agents)}
        members = sorted(_agent_statuses(session), key=lambda m: order.get(m.agent_id, len(order)))
        return Organization(
            revision=revisions.latest(session) or 0,
            chart=chart,
            members=tuple(members),
            posts=tuple(_role_assignments(session, chart)),
            position=log.head(session).size,
        )


def author_names(board: BoardContext, found: Iterable[ChartRevision]) -> dict[str, str]:
    """Return the names of the authors of these revisions."""
    with board.database.reading() as session:
        return display_names_of(session, [revision.author for revision in found])


def _role_assignments(session: Session, chart: OrgChart) -> Iterator[RoleAssignment]:
    """Yield the roles that the chart assigns, then those held by all accounts of a role."""
    people = session.scalars(select(Person).where(Person.active).order_by(Person.person_id)).all()
    may = {p.person_id: p for p in people if is_allowed(p.as_info(), "approval.decide")}

    def holder(person_id: str) -> RoleHolder:
        known = may.get(person_id)
        return RoleHolder(person_id, f"{known.name} {known.title}" if known else None)

    for duty in chart.duties:
        holders, others = (
            tuple(holder(p) for p in people) for people in (duty.people, duty.substitutes)
        )
        yield RoleAssignment(duty.role, duty.institution, holders, others)
    named = {duty.role for duty in chart.duties if duty.institution is None}
    for role in ROLES:
        if role in PERMISSIONS["approval.decide"] and role not in named:
            free = tuple(holder(p) for p, known in may.items() if known.role == role)
            yield RoleAssignment(role, None, free, named=False)


def _agent_statuses(session: Session) -> list[AgentStatus]:
    last = (
        select(Run.run_id, Run.started_at, Run.ended_at)
        .where(Run.agent_id == Agent.agent_id)
        .order_by(Run.run_id.desc())
        .limit(1)
        .lateral()
    )
    held = (
        select(func.max(Task.sr_id).label("sr_id"))
        .where(Task.agent_id == Agent.agent_id, Task.run_id == last.c.run_id)
        .lateral()
    )
    load = (
        select(func.count().label("tasks"))
        .where(Task.agent_id == Agent.agent_id, Task.status.in_(_OPEN))
        .lateral()
    )
    looked = (
        select(func.max(Tick.tick).label("tick")).where(Tick.agent_id == Agent.agent_id).lateral()
    )
    rows = session.execute(
        select(Agent, last, held, load, looked)
        .select_from(Agent)
        .outerjoin(last, true())
        .outerjoin(held, true())
        .outerjoin(load, true())
        .outerjoin(looked, true())
        .where(Agent.state != "fired")
    )
    return [
        AgentStatus(
            agent_id=row.Agent.agent_id,
            title=row.Agent.title,
            duty=row.Agent.duty,
            superior=row.Agent.reports_to,
            skills=tuple(row.Agent.skills),
            adapter=row.Agent.adapter,
            paused=row.Agent.state == "paused",
            working=row.run_id is not None and row.ended_at is None,
            sr_id=row.sr_id if row.ended_at is None else None,
            open_tasks=row.tasks,
            last_beat=max(
                (at for at in (row.ended_at or row.started_at, row.tick) if at), default=None
            ),
        )
        for row in rows
    ]
