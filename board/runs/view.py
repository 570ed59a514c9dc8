"""Read agents' runs for pages and the command line: causes, task and outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from guardia.board.audit.log import snapshot_size
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.model import Task
from guardia.board.core.run_model import Run
from guardia.org.model import Agent


@dataclass(frozen=True, slots=True)
class RunQuery(Keyset):
    """Filter and page of the list of runs."""

    agent: str = ""
    size: int = 50


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    run_id: int
    agent_id: str
    agent: str
    causes: tuple[dict[str, Any], ...]
    sr_id: int | None
    task_id: int | None
    outcome: str | None
    """`None` while it is running."""
    steps: int
    revision: int | None
    started_at: datetime
    ended_at: datetime | None

    @property
    def duration(self) -> timedelta | None:
        """Return how long it took, or `None` while it is running."""
        return None if self.ended_at is None else self.ended_at - self.started_at

    @property
    def reasons(self) -> tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]:
        """Return each reason with its first cause."""
        found: dict[str, tuple[tuple[str, Any], ...]] = {}
        for cause in self.causes:
            names = sorted(cause.keys() - {"reason"}, key=lambda n: (n != "issue", n))
            delta = tuple((name, cause[name]) for name in names)
            found.setdefault(str(cause["reason"]), delta)
        return tuple(found.items())


@dataclass(frozen=True, slots=True)
class RunList(Slice[RunRow]):
    """One page of the list."""

    agents: tuple[tuple[str, str], ...]
    """Id and title of every present and former agent, as filter options."""
    position: int
    """Length of the audit log in this snapshot."""


def list_runs(board: BoardContext, query: RunQuery) -> RunList:
    """Return one page of runs, newest first."""
    with board.database.reading() as session:
        found = read_slice(
            session, _row_query(query), Run.run_id, query, key=lambda r: int(r.run_id)
        )
        titles = session.execute(select(Agent.agent_id, Agent.title).order_by(Agent.agent_id))
        return RunList(
            tuple(_row(row) for row in found.rows),
            found.newer,
            found.older,
            agents=tuple((agent, title) for agent, title in titles),
            position=snapshot_size(session),
        )


def _row_query(query: RunQuery) -> Select[Any]:
    found = (
        select(
            Run.run_id,
            Run.agent_id,
            func.coalesce(Agent.title, Run.agent_id).label("agent"),
            Run.causes,
            Task.sr_id,
            Run.task_id,
            Run.outcome,
            Run.steps,
            Run.revision,
            Run.started_at,
            Run.ended_at,
        )
        .outerjoin(Agent, Agent.agent_id == Run.agent_id)
        .outerjoin(Task, Task.task_id == Run.task_id)
    )
    return found.where(Run.agent_id == query.agent) if query.agent else found


def steps_of(board: BoardContext, sr_id: int) -> int:
    """Return how many steps all runs on an issue's tasks took together."""
    query = (
        select(func.coalesce(func.sum(Run.steps), 0))
        .join(Task, Task.task_id == Run.task_id)
        .where(Task.sr_id == sr_id)
    )
    with board.database.reading() as session:
        return int(session.scalar(query) or 0)


def _row(found: Any) -> RunRow:
    fields = found._asdict()
    return RunRow(**{**fields, "causes": tuple(fields["causes"])})
