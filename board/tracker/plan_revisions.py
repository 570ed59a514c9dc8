"""What became of the plan that a page was opened with: who replaced it, why, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals.model import Approval, Decision
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.model import Directive, Task
from guardia.board.core.plan import Plan
from guardia.board.tracker.plan_changes import PlanChanges, compare_plans

_FILED = (EntryKind.PLANNED, EntryKind.WAIVED, EntryKind.OBSERVED, EntryKind.STANDING_USED)


@dataclass(frozen=True, slots=True)
class PlanRevisionView:
    """The present plan of a task, compared with an earlier one."""

    author: str
    filed_at: datetime | None
    reason: str
    """Why it was filed: the reason of its author, or the change that people requested."""
    changes: PlanChanges | None
    """`None` if the earlier plan is not known."""


def plan_revision(session: Session, task: Task, earlier_hash: str) -> PlanRevisionView | None:
    """Compare a task's present plan with an earlier one; `None` if it has no plan."""
    if not task.plan:
        return None
    old, new = filed_plan(session, task.task_id, earlier_hash), Plan.model_validate(task.plan)
    return PlanRevisionView(
        author=task.plan_author or "",
        filed_at=session.scalar(
            select(AuditEntry.created_at)
            .where(AuditEntry.task_id == task.task_id, AuditEntry.kind.in_(_FILED))
            .order_by(AuditEntry.seq.desc())
            .limit(1)
        ),
        reason=_reason(session, task),
        changes=compare_plans(old, new) if old else None,
    )


def filed_plan(session: Session, task_id: int, plan_hash: str) -> Plan | None:
    """Return a plan that was filed for a task, by its hash, from the audit log."""
    found = session.scalar(
        select(AuditEntry.detail["plan"])
        .where(
            AuditEntry.task_id == task_id,
            AuditEntry.kind.in_(_FILED),
            AuditEntry.detail["plan_hash"].astext == plan_hash,
        )
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    return Plan.model_validate(found) if found else None


def _reason(session: Session, task: Task) -> str:
    """Return the newer of: the reason of a person's change, the change that people requested."""
    changed = session.execute(
        select(Directive.ordered_at, Directive.reason)
        .where(
            Directive.task_id == task.task_id, Directive.verb.in_(("change", "return", "reanalyze"))
        )
        .order_by(Directive.directive_id.desc())
        .limit(1)
    ).one_or_none()
    requested = session.execute(
        select(Decision.decided_at, Decision.reason)
        .join(Approval, Approval.approval_id == Decision.approval_id)
        .where(Approval.task_id == task.task_id, Decision.verdict == "change")
        .order_by(Decision.decision_id.desc())
        .limit(1)
    ).one_or_none()
    found = [row for row in (changed, requested) if row is not None]
    return max(found, key=lambda row: row[0])[1] if found else ""
