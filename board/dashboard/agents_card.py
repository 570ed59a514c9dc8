"""Card of the agents: their state, their last run and their work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, true

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import outcome_label
from guardia.board.core.run_model import Run
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent."""

    agent_id: str
    title: str
    state: str
    last_at: datetime | None
    outcome: str | None
    running: bool
    open: int
    link: str


class AgentsCard:
    """The heartbeats of all agents that are not fired."""

    name = "heartbeats"
    permission = "run.read"
    template = "dashboard/heartbeats"
    filters = frozenset({"institution", "server"})

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
        query = (
            select(
                Agent.agent_id,
                Agent.title,
                Agent.state,
                last.c.started_at,
                last.c.outcome,
                last.c.started_at.is_not(None) & last.c.ended_at.is_(None),
            )
            .outerjoin(last, true())
            .where(Agent.state != "fired")
            .order_by(Agent.agent_id)
        )
        with board.database.reading() as session:
            found = figures.sums(session, person, filters, ["agent_open"], by=["part"])
            opened = {figure.part: figure.n for figure in found}
            return tuple(
                _figures(row, opened.get(row.agent_id, 0), filters)
                for row in session.execute(query).all()
            )

    def table(self, data: tuple[AgentFigures, ...], filters: CardFilters) -> CardTable:
        """Return an agent a row."""
        names = ("agent", "state", "open_tasks", "last_run", "outcome")
        return CardTable(
            tuple(t(f"dashboard.heartbeats.{name}") for name in names),
            tuple(
                (
                    one.title,
                    t("dashboard.heartbeats.running")
                    if one.running
                    else t(f"notes.page.state.{one.state}"),
                    one.open,
                    one.last_at,
                    outcome_label(one.outcome) if one.outcome else None,
                )
                for one in data
            ),
        )


def _figures(row: Any, opened: int, filters: CardFilters) -> AgentFigures:
    link = links.with_task(filters, "open", f"agent={row.agent_id}")
    agent_id, title, state, last_at, outcome, running = row
    return AgentFigures(agent_id, title, state, last_at, outcome, running, opened, link)
