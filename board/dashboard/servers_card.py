"""Card of the servers' timeline: the latest commands, and whether their entries are whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard.cards import CardFilters
from guardia.org.directory import PersonInfo

_MOST = 10
_SCANNED = 2000
"""Latest entries among which commands are looked for, so that the cost does not grow."""
_RESULTS = (EntryKind.RESULT, EntryKind.RESULT_FAILED, EntryKind.NOT_RESTORED, EntryKind.UNDONE)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One entry of the timeline."""

    seq: int
    at: datetime
    server: str
    sr_id: int
    text: str
    failed: bool
    whole: bool
    """Whether its columns still have the hash that the chain keeps."""


class ServersCard:
    """The latest results of commands, newest first."""

    name = "servers"
    permission = "plan.read"
    template = "dashboard/servers"

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[TimelineEvent, ...]:
        """Read and check the latest entries."""
        with board.database.reading() as session:
            rows = session.execute(_query(session, person, filters)).all()
            altered = log.altered_entries(session, [row.seq for row in rows])
        return tuple(_event(row, whole=row.seq not in altered) for row in rows)


def _query(session: Session, viewer: PersonInfo, filters: CardFilters) -> Any:
    latest = log.snapshot_size(session) - _SCANNED
    return (
        select(
            AuditEntry.seq,
            AuditEntry.created_at,
            AuditEntry.kind,
            AuditEntry.log_content,
            AuditEntry.sr_id,
            Task.target_server,
        )
        .join(Task, Task.task_id == AuditEntry.task_id)
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(
            AuditEntry.seq > latest,
            AuditEntry.kind.in_(_RESULTS),
            Task.target_server.is_not(None),
            filters.issues(viewer),
        )
        .order_by(AuditEntry.seq.desc())
        .limit(_MOST)
    )


def _event(row: Any, *, whole: bool) -> TimelineEvent:
    failed = row.kind in (EntryKind.RESULT_FAILED, EntryKind.NOT_RESTORED)
    return TimelineEvent(
        row.seq, row.created_at, row.target_server, row.sr_id, row.log_content, failed, whole
    )
