"""Outputs of remote reads, as the page of their issue shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Task
from guardia.board.execution.model import CommandOutput
from guardia.board.issues import visibility
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_MAX_OUTPUT = 4000
_MAX_OUTPUTS = 200


@dataclass(frozen=True, slots=True)
class CommandOutputView:
    """The output of one remote read."""

    evidence_id: int
    tool: str
    command: str
    findings: dict[str, Any]
    output: str
    """The raw output, truncated."""
    length: int
    """Characters of the whole output."""
    sha256: str
    created_at: datetime
    before_plan: bool
    """Whether it was read before the plan was filed, rather than to check the plan's effect."""


def outputs_by_task(session: Session, sr_id: int) -> Mapping[int, Sequence[CommandOutputView]]:
    """Return the newest outputs of an issue's tasks, oldest first."""
    planned = _plan_times(session, sr_id)
    found: dict[int, list[CommandOutputView]] = {}
    for row in _newest_outputs(session, sr_id):
        view = _output_view(row, planned.get(row.task_id))
        found.setdefault(row.task_id, []).append(view)
    return found


def get_output(board: BoardContext, viewer: PersonInfo, sr_id: int, evidence_id: int) -> str:
    """Return the whole raw output of one read. Raises `NotFound` if the viewer may not see it."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        row = session.get(CommandOutput, evidence_id)
        if row is None or row.sr_id != sr_id or not is_allowed(viewer, "plan.read"):
            raise NotFound(what=f"{issue_ref(sr_id)}/{evidence_id}")
        return row.output


def _newest_outputs(session: Session, sr_id: int) -> list[Row[Any]]:
    newest = (
        select(
            CommandOutput.evidence_id,
            CommandOutput.task_id,
            CommandOutput.tool,
            CommandOutput.command,
            CommandOutput.findings,
            func.left(CommandOutput.output, _MAX_OUTPUT).label("output"),
            func.length(CommandOutput.output).label("length"),
            CommandOutput.sha256,
            CommandOutput.created_at,
        )
        .where(CommandOutput.task_id.in_(select(Task.task_id).where(Task.sr_id == sr_id)))
        .order_by(CommandOutput.evidence_id.desc())
        .limit(_MAX_OUTPUTS)
    )
    return list(session.execute(newest))[::-1]


def _output_view(row: Any, planned: datetime | None) -> CommandOutputView:
    fields = row._asdict()
    del fields["task_id"]
    return CommandOutputView(
        **fields, before_plan=planned is None or fields["created_at"] <= planned
    )


def _plan_times(session: Session, sr_id: int) -> dict[int | None, datetime]:
    """Return when each task's current plan was filed, by task."""
    found = session.execute(
        select(AuditEntry.task_id, func.max(AuditEntry.created_at))
        .where(
            AuditEntry.sr_id == sr_id, AuditEntry.kind.in_((EntryKind.PLANNED, EntryKind.WAIVED))
        )
        .group_by(AuditEntry.task_id)
    )
    return {row[0]: row[1] for row in found}
