"""Card of the servers' timeline: the latest commands, and whether their entries are whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard import entry_marks
from guardia.board.dashboard.cards import ALL_FILTERS, CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MOST = 20
_SCANNED = 20_000
"""Latest entries among which commands are looked for, so that the cost does not grow."""
_TASKS = 200
"""Latest tasks of one server whose entries are read."""
_RESULTS = (EntryKind.RESULT, EntryKind.RESULT_FAILED, EntryKind.NOT_RESTORED, EntryKind.UNDONE)
_FAILED = (EntryKind.RESULT_FAILED, EntryKind.NOT_RESTORED)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One entry of the timeline."""

    seq: int
    at: datetime
    server: str
    sr_id: int
    task_id: int
    text: str
    failed: bool
    whole: bool
    """Whether its columns, and the link to the next entry, still have the chain's hash."""


class ServersCard:
    """The latest results of commands, newest first."""

    name = "servers"
    permission = "plan.read"
    template = "dashboard/servers"
    filters = ALL_FILTERS

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[TimelineEvent, ...]:
        """Read and check the latest entries."""
        begins = filters.begins(board.clock())
        with board.database.reading() as session:
            query = _query(session).where(filters.tasks(person), AuditEntry.created_at >= begins)
            if filters.server:
                query = query.where(Task.task_id.in_(_latest_tasks(filters.server)))
            rows = session.execute(query).all()
            broken = entry_marks.broken(session, [row.seq for row in rows])
        return tuple(_event(row, whole=row.seq not in broken) for row in rows)

    def table(self, data: tuple[TimelineEvent, ...], filters: CardFilters) -> CardTable:
        """Return an entry a row."""
        names = ("moment", "server", "issue", "text", "failed", "entry", "whole")
        return CardTable(
            tuple(t(f"dashboard.column.{name}") for name in names),
            tuple(
                (
                    one.at,
                    one.server,
                    issue_ref(one.sr_id),
                    one.text,
                    t("dashboard.servers.failed") if one.failed else "",
                    one.seq,
                    t("dashboard.servers.whole" if one.whole else "dashboard.servers.altered"),
                )
                for one in data
            ),
        )


def _latest_tasks(server: str) -> Select[Any]:
    latest = select(Task.task_id).where(Task.target_server == server)
    return latest.order_by(Task.created_at.desc()).limit(_TASKS)


def _query(session: Session) -> Select[*tuple[Any, ...]]:
    return (
        select(
            AuditEntry.seq,
            AuditEntry.created_at,
            AuditEntry.kind,
            AuditEntry.log_content,
            AuditEntry.sr_id,
            AuditEntry.task_id,
            Task.target_server,
        )
        .join(Task, Task.task_id == AuditEntry.task_id)
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(
            AuditEntry.seq > log.snapshot_size(session) - _SCANNED,
            AuditEntry.kind.in_(_RESULTS),
            Task.target_server.is_not(None),
        )
        .order_by(AuditEntry.seq.desc())
        .limit(_MOST)
    )


def _event(row: Any, *, whole: bool) -> TimelineEvent:
    return TimelineEvent(
        row.seq,
        row.created_at,
        row.target_server,
        row.sr_id,
        row.task_id,
        row.log_content,
        row.kind in _FAILED,
        whole,
    )
