"""The command of a task that failed last, with its output, compared with the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.dashboard import entry_marks
from guardia.board.execution.model import CommandOutput, FailedOutput
from guardia.board.issues.visibility import find_task
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

MOST_SHOWN = 20_000
"""Characters of an output on the page."""


@dataclass(frozen=True, slots=True)
class FailedCommand:
    """What failed, and what it printed."""

    sr_id: int
    title: str
    server: str | None
    at: datetime | None
    text: str
    """Sentence of the audit log; empty if no command failed."""
    seq: int | None
    command: str
    output: str
    length: int
    """Characters of the whole output."""
    stored: bool
    """Whether an output was stored."""
    intact: bool
    """Whether the output has the hash of its entry, and the entry its own."""


def last_failure(
    board: BoardContext, viewer: PersonInfo, sr_id: int, task_id: int
) -> FailedCommand:
    """Return the last failed command; without one, the last read, with which a check failed.

    Raises `NotFound` if the viewer may not see the task or its commands.
    """
    with board.database.reading() as session:
        task = find_task(session, viewer, sr_id, task_id)
        if task is None or not is_allowed(viewer, "plan.read"):
            raise NotFound(what=f"{issue_ref(sr_id)}/{task_id}")
        entry = session.scalar(
            select(AuditEntry)
            .where(AuditEntry.task_id == task_id, AuditEntry.kind == EntryKind.RESULT_FAILED.value)
            .order_by(AuditEntry.seq.desc())
            .limit(1)
        )
        found = _output(session, task_id, entry)
        title = session.scalar(select(Issue.title).where(Issue.sr_id == sr_id)) or ""
        intact = entry is None or not entry_marks.broken(session, [entry.seq])
        if found is not None:
            own = digest({"findings": found.findings, "output": found.output})
            given = entry.detail.get("sha256") if entry else found.sha256
            intact = intact and own == given
    return FailedCommand(
        sr_id,
        title,
        task.target_server,
        entry.created_at if entry else found.created_at if found else None,
        entry.log_content if entry else "",
        entry.seq if entry else None,
        found.command if found else "",
        found.output[:MOST_SHOWN] if found else "",
        len(found.output) if found else 0,
        stored=found is not None,
        intact=intact,
    )


def _output(
    session: Session, task_id: int, entry: AuditEntry | None
) -> FailedOutput | CommandOutput | None:
    reads = select(CommandOutput).where(CommandOutput.task_id == task_id)
    newest = reads.order_by(CommandOutput.evidence_id.desc()).limit(1)
    if entry is None:
        return session.scalar(newest)
    changed = session.get(FailedOutput, entry.detail.get("intent"))
    if changed is not None and changed.task_id == task_id:
        return changed
    return session.scalar(newest.where(CommandOutput.sha256 == entry.detail.get("sha256")))
