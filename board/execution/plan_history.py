"""Read the numbered plans of tasks: differences, requests with their answers, pre-checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.core import plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.plan_changes import PlanChange, plan_changes
from guardia.board.core.plan_model import PlanVersion
from guardia.board.core.planner import Planner, ReadEvidence
from guardia.board.execution.model import CommandOutput


@dataclass(frozen=True, slots=True)
class PreCheckResult:
    """The result of one pre-check of a plan, read when the plan was filed."""

    ordinal: int
    """The action that it belongs to, from 0."""
    tool: str
    expect: str
    holds: bool | None
    """`None` if the server could not be read."""
    found: str


@dataclass(frozen=True, slots=True)
class PlanVersionView:
    """One plan of a task, with what people asked of it and the answer."""

    number: int
    plan_hash: str
    author: str
    is_edited: bool
    """Whether a person wrote it, instead of the plan before it."""
    reason: str
    """Why the person changed it."""
    filed_at: datetime
    changes: tuple[PlanChange, ...]
    """What differs from the plan before it."""
    returned_as: str | None
    request: str
    requested_by: str | None
    requested_at: datetime | None
    answer: str
    answered_at: datetime | None
    checks: tuple[PreCheckResult, ...] | None
    """`None` until its pre-checks have been read."""
    checks_due: bool

    @property
    def failed_checks(self) -> tuple[PreCheckResult, ...]:
        """The pre-checks that do not hold."""
        return tuple(c for c in self.checks or () if c.holds is False)


def plan_history(
    session: Session, planner: Planner, task_ids: Sequence[int]
) -> dict[int, tuple[PlanVersionView, ...]]:
    """Return all plans of tasks in the order of filing, by task."""
    found: dict[int, list[PlanVersionView]] = {}
    before: PlanVersion | None = None
    for row in plan_versions.versions(session, task_ids):
        earlier = before if before is not None and before.task_id == row.task_id else None
        found.setdefault(row.task_id, []).append(_view(row, earlier, planner))
        before = row
    return {task_id: tuple(rows) for task_id, rows in found.items()}


def _view(row: PlanVersion, before: PlanVersion | None, planner: Planner) -> PlanVersionView:
    changes: tuple[PlanChange, ...] = ()
    if before is not None:
        old, new = (Plan.model_validate(one.plan) for one in (before, row))
        changes = plan_changes(old, new, planner.generated_arguments)
    return PlanVersionView(
        number=row.number,
        plan_hash=row.plan_hash,
        author=row.author,
        is_edited=Actor.kind_of(row.author) is ActorKind.PERSON and before is not None,
        reason=row.reason,
        filed_at=row.filed_at,
        changes=changes,
        returned_as=row.returned_as,
        request=row.request,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        answer=row.answer,
        answered_at=row.answered_at,
        checks=None if row.checks is None else tuple(_check(c) for c in row.checks),
        checks_due=row.checks_due,
    )


def _check(stored: dict[str, Any]) -> PreCheckResult:
    return PreCheckResult(
        stored["ordinal"], stored["tool"], stored["expect"], stored["holds"], stored["found"]
    )


def evidence_of(session: Session, sr_id: int, server: str) -> list[ReadEvidence]:
    """Return what has been read of a server for an issue, oldest first."""
    query = (
        select(CommandOutput.tool, CommandOutput.args, CommandOutput.findings)
        .join(Task, Task.task_id == CommandOutput.task_id)
        .where(Task.sr_id == sr_id, Task.target_server == server)
        .order_by(CommandOutput.evidence_id)
    )
    return [ReadEvidence(row.tool, row.args, row.findings) for row in session.execute(query)]
