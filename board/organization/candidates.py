"""Candidates for an assignment: specialist agents with their load."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Task
from guardia.org.model import Agent


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
