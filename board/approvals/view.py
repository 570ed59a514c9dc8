"""View of a plan's approval chain: quorum, votes and the current step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import (
    ApproverRole,
    DecisionVerdict,
    evaluate_chain,
    find_permitted_decision,
)
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.i18n import t
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's vote on a step."""

    person: str
    principal: str | None
    """The person in whose name it was given."""
    verdict: str
    reason: str
    at: datetime
    run_after: datetime | None = None
    """The earliest start that it demands."""


@dataclass(frozen=True, slots=True)
class ApprovalStepView:
    """One step of a plan's approval chain."""

    number: int
    role: str
    state: str
    quorum: int
    votes: tuple[Vote, ...]
    due_at: datetime | None
    """When the current step escalates or expires."""
    escalated_to: str | None
    """The additional role that may decide since its deadline passed."""
    current: bool
    """Whether this is the current step."""
    mine: bool
    """Whether the viewer can decide it now."""


def step_views(
    session: Session,
    approver_roles: Sequence[ApproverRole],
    viewer: PersonInfo,
    issue: Issue,
    task: Task,
    chain: list[Approval],
) -> Iterable[ApprovalStepView]:
    """Yield the steps of a chain; `decisions` applies the same policy and is authoritative."""
    pending = task.status == State.PENDING_APPROVAL
    votes = _votes(session, chain)
    asked = [s for s in chain if s.state in requests.ACTIVE_STATES]
    decisions = requests.decisions_on(session, asked)
    rules = requests.requested_chain(session, issue, task, asked, decisions)
    progress = evaluate_chain(rules, decisions) if pending else None
    # Shown to all who may refuse; an approval may still be denied, with the reason.
    verdict = DecisionVerdict.REJECT
    mine = (
        progress is not None
        and find_permitted_decision(rules, progress, viewer.id, approver_roles, verdict)[0]
        is not None
    )
    for step in chain:
        now = progress is not None and step.step == progress.current
        yield ApprovalStepView(
            number=step.step,
            role=step.role,
            state=step.state,
            quorum=step.quorum,
            votes=tuple(votes.get(step.approval_id, ())),
            due_at=step.due_at if now else None,
            escalated_to=step.escalate_to if step.escalated_at else None,
            current=now,
            mine=now and mine,
        )


def _votes(session: Session, chain: list[Approval]) -> dict[int, list[Vote]]:
    votes: dict[int, list[Vote]] = {}
    if not chain:
        return votes
    query = select(Decision).where(Decision.approval_id.in_([s.approval_id for s in chain]))
    for d in session.scalars(query.order_by(Decision.decision_id)):
        principal = str(Actor.person(d.principal_id)) if d.principal_id else None
        votes.setdefault(d.approval_id, []).append(
            Vote(
                str(Actor.person(d.person_id)),
                principal,
                d.verdict,
                d.reason,
                d.decided_at,
                d.run_after,
            )
        )
    return votes


def latest_steps(steps: Iterable[Approval], task: Task) -> list[Approval]:
    """Return the latest chain for the present plan; the same plan may be filed twice."""
    own = [s for s in steps if (s.task_id, s.plan_hash) == (task.task_id, task.plan_hash)]
    last = max((s.created_at for s in own), default=None)
    return [s for s in own if s.created_at == last]


def requester_message(session: Session, sr_id: int) -> str:
    """Return the words for the requester with which a plan was last returned, or an empty text.

    Empty once a later decision has approved a plan.
    """
    row = session.scalar(
        select(Decision)
        .join(Approval, Approval.approval_id == Decision.approval_id)
        .join(Task, Task.task_id == Approval.task_id)
        .where(Task.sr_id == sr_id)
        .order_by(Decision.decision_id.desc())
        .limit(1)
    )
    if row is None or row.verdict == DecisionVerdict.APPROVE:
        return ""
    return row.message or t(f"board.choice.message.{row.next_step or 'change'}")
