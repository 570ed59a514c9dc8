"""Queries of pending approvals, by person and by issue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from guardia.board.approvals import deciding_roles, requests
from guardia.board.approvals.model import Approval, Decision
from guardia.board.approvals.policy import ApproverRole
from guardia.board.audit.passkey_signatures import DEMANDED
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.issues.visibility import visible_to
from guardia.org import identity
from guardia.org.approver_assignments import RoleCoverage
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class PendingStep:
    """A step of an approval chain that a person can decide now."""

    sr_id: int
    title: str
    server: str | None
    category: str | None
    priority: str | None
    since: datetime
    due: datetime | None
    """When it escalates or expires."""


@dataclass(frozen=True, slots=True)
class PendingSteps:
    """The most urgent steps that a person can decide, and how many there are in all."""

    steps: tuple[PendingStep, ...] = ()
    total: int = 0

    def __len__(self) -> int:
        """Return how many there are in all."""
        return self.total


_MAX_STEPS = 20


def _decidable(
    viewer: PersonInfo, approver_role: ApproverRole, human_by_account: Mapping[str, str]
) -> ColumnElement[bool]:
    """Return the condition for steps that the viewer may decide in a role: `policy` in SQL.

    `human_by_account` maps every account of the people concerned to its person.
    """
    humans = {human_by_account.get(p, p) for p in (viewer.id, approver_role.principal) if p}
    parties = [account for account, human in human_by_account.items() if human in humans]
    other = aliased(Approval)
    already_decided = (
        select(Decision.decision_id)
        .join(other, other.approval_id == Decision.approval_id)
        .where(
            other.task_id == Approval.task_id,
            other.plan_hash == Approval.plan_hash,
            other.state.in_(requests.ACTIVE_STATES),
            or_(Decision.person_id.in_(parties), Decision.principal_id.in_(parties)),
        )
    )
    escalated = Approval.escalated_at.is_not(None) & (Approval.escalate_to == approver_role.role)
    return and_(
        or_(Approval.role == approver_role.role, escalated),
        or_(Issue.requester_id.is_(None), Issue.requester_id.not_in(parties)),
        or_(
            Task.plan_author.is_(None),
            Task.plan_author.not_in([str(Actor.person(p)) for p in parties]),
        ),
        ~already_decided.exists(),
    )


def _covered(coverage: RoleCoverage) -> ColumnElement[bool]:
    """Return the condition for tasks on servers that a role covers."""
    found: ColumnElement[bool] = Issue.inst_id.in_(coverage.exceptions)
    if coverage.by_default:
        found = or_(Issue.inst_id.is_(None), Issue.inst_id.not_in(coverage.exceptions))
    if coverage.servers is None:
        return found
    return and_(found, Task.target_server.in_(coverage.servers))


def pending_steps(board: BoardContext, viewer: PersonInfo) -> PendingSteps:
    """Return the steps that a person can decide now, the most urgent first."""
    with board.database.reading() as session:
        return pending_steps_within(session, viewer, board.clock())


def pending_steps_within(session: Session, viewer: PersonInfo, now: datetime) -> PendingSteps:
    """Return the same within a larger transaction."""
    scoped_roles = deciding_roles.scoped_roles(session, viewer, now)
    if not scoped_roles:
        return PendingSteps()
    accounts = [
        viewer.id,
        *(s.approver_role.principal for s in scoped_roles if s.approver_role.principal),
    ]
    human_by_account = identity.accounts_of_same_people(session, accounts)
    found = session.execute(
        select(
            Issue.sr_id,
            Issue.title,
            Task.target_server.label("server"),
            Task.category,
            Issue.priority,
            Approval.opened_at.label("since"),
            Approval.due_at.label("due"),
            func.count().over().label("total"),
        )
        .join(Task, (Task.task_id == Approval.task_id) & (Task.plan_hash == Approval.plan_hash))
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(
            or_(
                *(
                    _decidable(viewer, s.approver_role, human_by_account) & _covered(s.coverage)
                    for s in scoped_roles
                )
            ),
            Approval.state == "WAITING",
            Approval.opened_at.is_not(None),
            Task.status == State.PENDING_APPROVAL.value,
            visible_to(viewer),
        )
        .order_by(func.coalesce(Issue.priority, "P3"), Approval.approval_id)
        .limit(_MAX_STEPS)
    ).all()
    names = PendingStep.__slots__
    steps = tuple(PendingStep(**{n: getattr(row, n) for n in names}) for row in found)
    return PendingSteps(steps, found[0].total if found else 0)


@dataclass(frozen=True, slots=True)
class PendingPlan:
    """A plan that waits for the current step of its chain."""

    task_id: int
    plan_hash: str
    plan: Plan
    role: str
    """Role of the current step."""
    quorum: int = 1
    given: int = 0
    """How many of the quorum have approved."""
    due_at: datetime | None = None
    passkey_demanded: bool = False
    """Whether an approval must be signed with a passkey."""


@dataclass(frozen=True, slots=True)
class FiledPlan:
    """A task's plan in any state."""

    task_id: int
    state: State
    plan_hash: str
    plan: Plan


def editable_plans(board: BoardContext, sr_id: int) -> list[FiledPlan]:
    """Return the plans of an issue's open tasks, which people may still change."""
    with board.database.reading() as session:
        get_issue(session, sr_id)
        rows = session.scalars(
            select(Task)
            .where(Task.sr_id == sr_id, Task.status.in_(OPEN_STATES), Task.plan_hash.is_not(None))
            .order_by(Task.task_id)
        )
        return [
            FiledPlan(r.task_id, State(r.status), r.plan_hash or "", Plan.model_validate(r.plan))
            for r in rows
        ]


def pending_plans(board: BoardContext, sr_id: int) -> list[PendingPlan]:
    """Return the plans of an issue that wait for a decision, with the current step."""
    given = (
        select(func.count())
        .where(Decision.approval_id == Approval.approval_id)
        .correlate(Approval)
        .scalar_subquery()
    )
    with board.database.reading() as session:
        rows = session.execute(
            select(
                Task.task_id,
                Task.plan_hash,
                Task.plan,
                Task.category,
                Approval.role,
                Approval.quorum,
                given.label("given"),
                Approval.due_at,
                Approval.signature,
            )
            .join(
                Approval,
                (Approval.task_id == Task.task_id) & (Approval.plan_hash == Task.plan_hash),
            )
            .where(
                Task.sr_id == sr_id,
                Task.status == State.PENDING_APPROVAL,
                Approval.state == "WAITING",
                Approval.opened_at.is_not(None),
            )
            .order_by(Task.task_id)
        )
        return [
            PendingPlan(
                r.task_id,
                r.plan_hash,
                Plan.model_validate(r.plan),
                r.role,
                r.quorum,
                r.given,
                r.due_at,
                DEMANDED
                in {r.signature, requests.policy_for(session, r.plan["category"]).signature},
            )
            for r in rows
        ]
