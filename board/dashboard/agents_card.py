"""Card of the agents: their state, their last run and their work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Task
from guardia.board.core.run_model import Run
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent."""

    agent_id: str
    title: str
    state: str
    open: int
    last_at: datetime | None
    outcome: str | None
    running: bool


class AgentsCard:
    """The heartbeats of all agents that are not fired."""

    name = "heartbeats"
    permission = "run.read"
    template = "dashboard/heartbeats"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[AgentFigures, ...]:
        """Read the last run of each agent."""
        last = (
            select(Run.started_at, Run.ended_at, Run.outcome)
            .where(Run.agent_id == Agent.agent_id)
            .order_by(Run.run_id.desc())
            .limit(1)
            .lateral()
        )
        opened = (
            select(func.count())
            .where(Task.agent_id == Agent.agent_id, Task.status.in_([s.value for s in OPEN_STATES]))
            .correlate(Agent)
            .scalar_subquery()
        )
        query = (
            select(
                Agent.agent_id,
                Agent.title,
                Agent.state,
                opened,
                last.c.started_at,
                last.c.outcome,
                last.c.started_at.is_not(None) & last.c.ended_at.is_(None),
            )
            .outerjoin(last, true())
            .where(Agent.state != "fired")
            .order_by(Agent.agent_id)
        )
        with board.database.reading() as session:
            return tuple(AgentFigures(*row) for row in session.execute(query).all())
