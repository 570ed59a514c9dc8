"""What a person reads after a decision: what happens next, and which decision waits for them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import pending
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.pending import PendingStep
from guardia.board.core import labels
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.issues import visibility
from guardia.i18n import t
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class AfterDecision:
    """The notice after a decision."""

    verdict: str
    state: State
    next_role: str | None
    """Role of the step that waits now."""
    starts_at: str
    waiting: int
    next: PendingStep | None
    """The most urgent of them."""

    @property
    def what(self) -> str:
        """Say what the person has done."""
        return t(f"web.decided.{self.verdict}")

    @property
    def following(self) -> str:
        """Say what happens now."""
        if self.verdict != "approve":
            return t(f"web.decided.after_{self.verdict}")
        if self.state is State.PENDING_APPROVAL and self.next_role:
            return t("web.decided.next_step", role=t(f"org.role.{self.next_role}"))
        if self.state is State.APPROVED and self.starts_at:
            return t("web.decided.later", at=self.starts_at)
        return t("web.decided.starts")


def after_decision(
    board: BoardContext, viewer: PersonInfo, sr_id: int, task_id: int
) -> AfterDecision | None:
    """Return the notice for a decision that the viewer has really made, or `None`."""
    with board.database.reading() as session:
        task = visibility.find_task(session, viewer, sr_id, task_id)
        verdict = _last_verdict(session, viewer, task_id)
        if task is None or verdict is None:
            return None
        role, run_after = _waiting_role(session, task), task.run_after
    found = pending.pending_steps(board, viewer)
    return AfterDecision(
        verdict,
        State(task.status),
        role,
        labels.format_time(run_after, "short") if run_after else "",
        found.total,
        next((step for step in found.steps if step.sr_id != sr_id), None)
        or next(iter(found.steps), None),
    )


def _last_verdict(session: Session, viewer: PersonInfo, task_id: int) -> str | None:
    return session.scalar(
        select(Decision.verdict)
        .join(Approval, Approval.approval_id == Decision.approval_id)
        .where(Approval.task_id == task_id, Decision.person_id == viewer.id)
        .order_by(Decision.decision_id.desc())
        .limit(1)
    )


def _waiting_role(session: Session, task: Task) -> str | None:
    return session.scalar(
        select(Approval.role)
        .where(
            Approval.task_id == task.task_id,
            Approval.plan_hash == task.plan_hash,
            Approval.state == "WAITING",
        )
        .order_by(Approval.step)
        .limit(1)
    )
