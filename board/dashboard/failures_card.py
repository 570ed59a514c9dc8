"""Card of the failures: what failed last, with the command and the page of its output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo

_MOST = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that ended as a failure."""

    sr_id: int
    title: str
    server: str | None
    at: datetime
    command: str
    """Text of its last failed command; empty if none failed."""


@dataclass(frozen=True, slots=True)
class Failures:
    """The latest failures of the period, and how many there are."""

    rows: tuple[Failure, ...]
    total: int


class FailuresCard:
    """Failed tasks, newest first."""

    name = "failures"
    permission = "plan.read"
    template = "dashboard/failures"

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> Failures:
        """Read the failures."""
        command = (
            select(AuditEntry.log_content)
            .where(
                AuditEntry.task_id == Task.task_id,
                AuditEntry.kind == EntryKind.RESULT_FAILED.value,
            )
            .order_by(AuditEntry.seq.desc())
            .limit(1)
            .correlate(Task)
            .scalar_subquery()
        )
        query = (
            select(
                Issue.sr_id,
                Issue.title,
                Task.target_server,
                Task.updated_at,
                func.coalesce(command, ""),
                func.count().over(),
            )
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(
                Task.status == State.FAILED_ROLLBACK.value,
                Task.updated_at >= filters.begins(board.clock()),
                filters.issues(person),
            )
            .order_by(Task.updated_at.desc())
            .limit(_MOST)
        )
        with board.database.reading() as session:
            rows = session.execute(query).all()
        return Failures(tuple(Failure(*row[:5]) for row in rows), rows[0][5] if rows else 0)
