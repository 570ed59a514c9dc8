"""Candidates for an assignment: engineers and specialist agents with their load."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Task
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Person, SystemOwner


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engineer with the facts for and against assigning an issue."""

    person: PersonInfo
    proficiency: int
    """1 to 5 on the server in question; 0 if they do not own it."""
    load: int
    """Open tasks already assigned to them."""


@dataclass(frozen=True, slots=True)
class Specialist:
    """An agent that can be assigned work."""

    agent_id: str
    title: str
    skills: tuple[str, ...]
    load: int = 0
    """Tasks that it still has to work on."""


def specialists(board: BoardContext) -> list[Specialist]:
    """Return the active agents that operate servers, with their open tasks, by id, in one query."""
    load = (
        select(Task.agent_id, func.count().label("tasks"))
        .where(Task.status.in_([s.value for s in OPEN_STATES - {State.MANUAL}]))
        .group_by(Task.agent_id)
        .subquery()
    )
    with board.database.reading() as session:
        rows = session.execute(
            select(Agent, func.coalesce(load.c.tasks, 0))
            .outerjoin(load, load.c.agent_id == Agent.agent_id)
            .where(Agent.duty == "operate", Agent.state == "active")
            .order_by(Agent.agent_id)
        )
        return [Specialist(a.agent_id, a.title, tuple(a.skills), tasks) for a, tasks in rows]


def engineers(board: BoardContext, server: str | None) -> list[Candidate]:
    """Return engineers with their proficiency on a server and their load, in one query."""
    load = (
        select(Task.owner_id, func.count().label("tasks"))
        .where(Task.status.in_([s.value for s in OPEN_STATES]))
        .group_by(Task.owner_id)
        .subquery()
    )
    mastery = (
        select(SystemOwner.owner_id, func.max(SystemOwner.proficiency).label("proficiency"))
        .where(SystemOwner.server_id == server)
        .group_by(SystemOwner.owner_id)
        .subquery()
    )
    with board.database.reading() as session:
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
        return [Candidate(p.as_info(), proficiency, tasks) for p, proficiency, tasks in rows]
