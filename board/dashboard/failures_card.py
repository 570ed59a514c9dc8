"""Card of the failures: what failed last, with the command and the page of its output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import ALL_FILTERS, CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOST = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that ended as a failure."""

    task_id: int
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
    link: str


class FailuresCard:
    """Failed tasks, newest first."""

    name = "failures"
    permission = "plan.read"
    template = "dashboard/failures"
    filters = ALL_FILTERS

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
        columns = (Task.task_id, Issue.sr_id, Issue.title, Task.target_server, Task.updated_at)
        query = (
            select(*columns, func.coalesce(command, ""))
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(
                Task.status == State.FAILED_ROLLBACK.value,
                Task.updated_at >= filters.begins(board.clock()),
                filters.tasks(person),
            )
            .order_by(Task.updated_at.desc())
            .limit(_MOST)
        )
        since = filters.first_day(board.clock())
        with board.database.reading() as session:
            rows = session.execute(query).all()
            found = figures.sums(session, person, filters, ["task_failed"], since=since)
        return Failures(
            tuple(Failure(*row) for row in rows),
            sum(figure.n for figure in found),
            links.with_task(filters, "failed_rollback", f"ended={since}"),
        )

    def table(self, data: Failures, filters: CardFilters) -> CardTable:
        """Return a failure a row."""
        names = ("moment", "issue", "title", "server", "command")
        return CardTable(
            tuple(t(f"dashboard.column.{name}") for name in names),
            tuple(
                (one.at, issue_ref(one.sr_id), one.title, one.server, one.command)
                for one in data.rows
            ),
        )
