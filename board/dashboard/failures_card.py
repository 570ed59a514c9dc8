"""Card of the failures: what failed last, with the command and the page of its output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select

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
_COLUMNS = (Task.task_id, Issue.sr_id, Issue.title, Task.target_server, Task.updated_at)


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
        since = filters.first_day(board.clock())
        with board.database.reading() as session:
            found = figures.sums(session, person, filters, ["task_failed"], since=since)
            total = sum(figure.n for figure in found)
            latest = _latest(person, filters, filters.begins(board.clock()), min(total, _MOST))
            query = (
                select(*_COLUMNS, func.coalesce(command, ""))
                .join(Issue, Issue.sr_id == Task.sr_id)
                .where(Task.task_id.in_(latest))
                .order_by(Task.updated_at.desc())
            )
            rows = session.execute(query).all()
        return Failures(
            tuple(Failure(*row) for row in rows),
            total,
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


def _latest(person: PersonInfo, filters: CardFilters, begins: datetime, most: int) -> Select[int]:
    """Return the latest failed tasks, read from the newest until enough are found.

    The issue is looked up for each of them: a join could begin with all issues of an institution.
    """
    admitted = select(Issue.sr_id).where(Issue.sr_id == Task.sr_id, filters.tasks(person))
    return (
        select(Task.task_id)
        .where(
            Task.status == State.FAILED_ROLLBACK.value,
            Task.updated_at >= begins,
            admitted.limit(1).scalar_subquery().is_not(None),
        )
        .order_by(Task.updated_at.desc())
        .limit(most)
    )
