"""Under which root plan a plan was filed, as the audit log says."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task

APPROVED = (State.APPROVED, State.IN_PROGRESS, State.COMPLETED)
"""States of a root task under which its plans may run, and be undone."""


@dataclass(frozen=True, slots=True)
class RootReference:
    """The root plan that a filed plan names."""

    task_id: int
    plan_hash: str


def root_of(session: Session, task: Task) -> RootReference | None:
    """Return the root plan under which the task's present plan was filed, or `None`."""
    entry = AuditEntry
    query = select(entry.detail).where(
        entry.task_id == task.task_id,
        entry.kind == EntryKind.BUNDLED,
        entry.detail["plan_hash"].as_string() == task.plan_hash,
    )
    found = session.scalar(query.order_by(entry.seq.desc()).limit(1))
    return RootReference(int(found["root"]), str(found["root_hash"])) if found else None
