"""Outputs of remote reads, as the page of their issue shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Label, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.keyset import Keyset, Slice, cut_slice
from guardia.board.core.model import Task
from guardia.board.execution.model import CommandOutput
from guardia.board.issues import visibility
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_MAX_OUTPUT = 4000
_PER_TASK = 6
_PER_PAGE = 20
_PLANS = (EntryKind.PLANNED, EntryKind.WAIVED, EntryKind.OBSERVED, EntryKind.STANDING_USED)


@dataclass(frozen=True, slots=True)
class CommandOutputView:
    """The output of one remote read."""

    evidence_id: int
    tool: str
    findings: dict[str, Any]
    sha256: str
    created_at: datetime
    before_plan: bool
    """Whether it was read before the plan was filed, rather than to check the plan's effect."""


@dataclass(frozen=True, slots=True)
class RawOutput:
    """Command and raw output of one remote read."""

    command: str
    output: str
    """Truncated."""
    length: int
    """Characters of the whole output."""
    sha256: str


@dataclass(frozen=True, slots=True)
class TaskOutputs:
    """The newest outputs of a task, oldest first, and how many there are in all."""

    newest: tuple[CommandOutputView, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class OutputPage(Slice[CommandOutputView]):
    """One page of all outputs of an issue, newest first."""

    title: str
    total: int


def outputs_by_task(session: Session, sr_id: int) -> Mapping[int, TaskOutputs]:
    """Return the newest outputs of an issue's tasks."""
    query = _output_query(sr_id)
    place = func.row_number().over(
        partition_by=CommandOutput.task_id, order_by=CommandOutput.evidence_id.desc()
    )
    total = func.count().over(partition_by=CommandOutput.task_id)
    found = query.add_columns(place.label("place"), total.label("total")).subquery()
    newest: dict[int, list[CommandOutputView]] = {}
    totals: dict[int, int] = {}
    query = select(found, _planned_at(found.c.task_id)).where(found.c.place <= _PER_TASK)
    for row in session.execute(query.order_by(found.c.evidence_id)):
        totals[row.task_id] = row.total
        newest.setdefault(row.task_id, []).append(_output_view(row))
    return {t: TaskOutputs(tuple(views), totals[t]) for t, views in newest.items()}


def output_page(
    board: BoardContext, viewer: PersonInfo, sr_id: int, before: int | None
) -> OutputPage:
    """Return one page of an issue's outputs. Raises `NotFound` if the viewer may not see them."""
    page = Keyset(before=before, size=_PER_PAGE)
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        if not is_allowed(viewer, "plan.read"):
            raise NotFound(what=issue_ref(sr_id))
        query = _output_query(sr_id).add_columns(_planned_at(CommandOutput.task_id))
        query = query.order_by(CommandOutput.evidence_id.desc())
        if before is not None:
            query = query.where(CommandOutput.evidence_id < before)
        rows = session.execute(query.limit(page.size + 1)).all()
        found = cut_slice(rows, page, key=lambda row: int(row.evidence_id))
        return OutputPage(
            tuple(_output_view(row) for row in found.rows),
            found.newer,
            found.older,
            title=issue.title,
            total=sum(_totals(session, sr_id).values()),
        )


def get_raw_output(
    board: BoardContext, viewer: PersonInfo, sr_id: int, evidence_id: int
) -> RawOutput:
    """Return command and raw output of one read. Raises `NotFound` like `get_output`."""
    with board.database.reading() as session:
        row = _visible_output(session, viewer, sr_id, evidence_id)
        return RawOutput(row.command, row.output[:_MAX_OUTPUT], len(row.output), row.sha256)


def get_output(board: BoardContext, viewer: PersonInfo, sr_id: int, evidence_id: int) -> str:
    """Return the whole raw output of one read. Raises `NotFound` if the viewer may not see it."""
    with board.database.reading() as session:
        return _visible_output(session, viewer, sr_id, evidence_id).output


def _visible_output(
    session: Session, viewer: PersonInfo, sr_id: int, evidence_id: int
) -> CommandOutput:
    visibility.find_issue(session, viewer, sr_id)
    row = session.get(CommandOutput, evidence_id)
    if row is None or row.sr_id != sr_id or not is_allowed(viewer, "plan.read"):
        raise NotFound(what=f"{issue_ref(sr_id)}/{evidence_id}")
    return row


def _output_query(sr_id: int) -> Select[Any]:
    return select(
        CommandOutput.evidence_id,
        CommandOutput.task_id,
        CommandOutput.tool,
        CommandOutput.findings,
        CommandOutput.sha256,
        CommandOutput.created_at,
    ).where(CommandOutput.task_id.in_(_task_ids(sr_id)))


def _task_ids(sr_id: int) -> Select[Any]:
    return select(Task.task_id).where(Task.sr_id == sr_id)


def _totals(session: Session, sr_id: int) -> dict[int, int]:
    """Return the number of outputs by task."""
    rows = session.execute(
        select(CommandOutput.task_id, func.count())
        .where(CommandOutput.task_id.in_(_task_ids(sr_id)))
        .group_by(CommandOutput.task_id)
    )
    return {row[0]: row[1] for row in rows}


def _output_view(row: Any) -> CommandOutputView:
    names = ("evidence_id", "tool", "findings", "sha256", "created_at")
    fields = {name: getattr(row, name) for name in names}
    planned = row.planned_at
    return CommandOutputView(
        **fields, before_plan=planned is None or fields["created_at"] <= planned
    )


def _planned_at(task_id: ColumnElement[Any] | InstrumentedAttribute[int]) -> Label[Any]:
    """Return when a task's current plan was filed."""
    query = select(func.max(AuditEntry.created_at)).where(
        AuditEntry.task_id == task_id, AuditEntry.kind.in_(_PLANS)
    )
    return query.scalar_subquery().label("planned_at")
