"""The sources of the inbox, in the order in which they claim an issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from guardia.board.approvals.model import Acceptance
from guardia.board.approvals.pending import pending_steps_within
from guardia.board.assignment.model import IssueReport, Proposal
from guardia.board.core.actors import Actor
from guardia.board.core.goal_lifecycle import GoalState
from guardia.board.core.goal_model import Goal
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.costs.model import BudgetPause
from guardia.board.hiring.model import HireRequest
from guardia.board.home.items import Found, InboxItem, InboxSource
from guardia.board.issues.visibility import visible_to
from guardia.board.knowledge.model import Document, DocumentVersion
from guardia.board.knowledge.rights import readable_by
from guardia.board.rights.requests import pending_requests
from guardia.board.rollouts.model import Rollout
from guardia.board.service_levels.model import ServiceClock
from guardia.board.standing.model import StandingApproval
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent

_MOST = 50
"""Items of one source that are read."""
_MANUAL = Issue.status == State.MANUAL.value


@dataclass(frozen=True, slots=True)
class DecisionSource:
    """Steps of approval chains that the person can decide now."""

    kind: str = "decision"
    permission: str = "approval.answer"

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return the steps."""
        steps = pending_steps_within(session, viewer, now)
        items = [
            InboxItem(
                self.kind,
                f"/issues/{step.sr_id}",
                step.title,
                step.since,
                sr_id=step.sr_id,
                detail=step.server or "",
                priority=step.priority,
                due=step.due,
            )
            for step in steps.steps
        ]
        return items, steps.total


@dataclass(frozen=True, slots=True)
class IssueSource:
    """Issues for which a condition holds."""

    kind: str
    permission: str
    condition: Callable[[PersonInfo], ColumnElement[bool]]
    since: InstrumentedAttribute[Any] = Issue.updated_at
    path: str = "/issues"

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return the issues."""
        query: Select[Any] = (
            select(
                Issue.sr_id,
                Issue.title,
                Issue.priority,
                self.since.label("since"),
                func.count().over().label("total"),
            )
            .where(self.condition(viewer), visible_to(viewer))
            .order_by(func.coalesce(Issue.priority, "P3"), Issue.sr_id)
            .limit(_MOST)
        )
        rows = session.execute(query).all()
        items = [
            InboxItem(
                self.kind,
                f"{self.path}/{row.sr_id}",
                row.title,
                row.since,
                sr_id=row.sr_id,
                priority=row.priority,
            )
            for row in rows
        ]
        return items, rows[0].total if rows else 0


@dataclass(frozen=True, slots=True)
class RowSource:
    """Rows of a feature's own table, which are no issues."""

    kind: str
    permission: str
    query: Select[int, str, datetime]
    """Selects `id`, `title` and `since`, the oldest first."""
    path: Callable[[Any], str]

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return the rows."""
        counted = self.query.add_columns(func.count().over().label("total")).limit(_MOST)
        rows = session.execute(counted).all()
        items = [InboxItem(self.kind, self.path(row.id), row.title, row.since) for row in rows]
        return items, rows[0].total if rows else 0


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """Versions of documents that wait for review by another person than their author."""

    kind: str = "document"
    permission: str = "document.review"

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return the versions."""
        query = (
            select(
                Document.document_id,
                Document.title,
                DocumentVersion.number,
                func.coalesce(DocumentVersion.submitted_at, DocumentVersion.created_at),
                func.count().over(),
            )
            .join(Document, Document.document_id == DocumentVersion.document_id)
            .where(
                DocumentVersion.review == "IN_REVIEW",
                DocumentVersion.reading == "READ",
                DocumentVersion.author != str(Actor.of(viewer)),
                readable_by(viewer),
            )
            .order_by(DocumentVersion.version_id)
            .limit(_MOST)
        )
        rows = session.execute(query).all()
        items = [
            InboxItem(self.kind, f"/documents/{number}?version={version}", title, since)
            for number, title, version, since, _ in rows
        ]
        return items, rows[0][4] if rows else 0


def _not_restored(_viewer: PersonInfo) -> ColumnElement[bool]:
    lost = (
        select(Directive.directive_id)
        .join(Task, Task.task_id == Directive.task_id)
        .where(
            Directive.sr_id == Issue.sr_id,
            Directive.state == "NOT_RESTORED",
            Task.status == State.MANUAL.value,
        )
    )
    return and_(_MANUAL, lost.exists())


def _assigned(viewer: PersonInfo) -> ColumnElement[bool]:
    task = select(Task.task_id).where(
        Task.sr_id == Issue.sr_id,
        Task.owner_id == viewer.id,
        Task.status == State.MANUAL.value,
    )
    return and_(_MANUAL, or_(Issue.assignee_id == viewer.id, task.exists()))


def _proposed(viewer: PersonInfo) -> ColumnElement[bool]:
    asked = select(Proposal.proposal_id).where(
        Proposal.sr_id == Issue.sr_id,
        Proposal.state == "OPEN",
        Proposal.kind == "person",
        Proposal.candidate_id == viewer.id,
    )
    return asked.exists()


def _unassigned(_viewer: PersonInfo) -> ColumnElement[bool]:
    linked = select(IssueReport.report_id).where(
        IssueReport.sr_id == Issue.sr_id, IssueReport.state == "LINKED"
    )
    return and_(_MANUAL, Issue.assignee_id.is_(None), ~linked.exists())


def _stalled(_viewer: PersonInfo) -> ColumnElement[bool]:
    return Issue.stalled_at.is_not(None)


def _to_accept(viewer: PersonInfo) -> ColumnElement[bool]:
    waiting = select(Acceptance.task_id).where(
        Acceptance.sr_id == Issue.sr_id,
        Acceptance.state == "WAITING",
        Acceptance.asked_of == "requester",
    )
    return and_(Issue.requester_id == viewer.id, waiting.exists())


def _goal(_viewer: PersonInfo) -> ColumnElement[bool]:
    waits = or_(
        Goal.state.in_([GoalState.ASKED.value, GoalState.PLANNED.value]),
        and_(Goal.state == GoalState.ACTIVE.value, Goal.stuck_at.is_not(None)),
    )
    return select(Goal.sr_id).where(Goal.sr_id == Issue.sr_id, waits).exists()


def _overdue(viewer: PersonInfo) -> ColumnElement[bool]:
    late = select(ServiceClock.sr_id).where(
        ServiceClock.sr_id == Issue.sr_id,
        ServiceClock.state.in_(["RUNNING", "PAUSED"]),
        ServiceClock.broken_at.is_not(None),
    )
    # Those who lead see all of them, others what is theirs.
    if viewer.role in ("team_lead", "pm"):
        return late.exists()
    return and_(late.exists(), Issue.assignee_id == viewer.id)


_HIRES = (
    select(
        HireRequest.hire_id.label("id"),
        HireRequest.title.label("title"),
        HireRequest.created_at.label("since"),
    )
    .where(HireRequest.state == "WAITING")
    .order_by(HireRequest.hire_id)
)
_BUDGETS = (
    select(
        BudgetPause.pause_id.label("id"),
        func.coalesce(Agent.title, BudgetPause.agent_id).label("title"),
        BudgetPause.paused_at.label("since"),
    )
    .outerjoin(Agent, Agent.agent_id == BudgetPause.agent_id)
    .where(BudgetPause.ended_at.is_(None))
    .order_by(BudgetPause.pause_id)
)
_STANDING = (
    select(
        StandingApproval.standing_id.label("id"),
        StandingApproval.title.label("title"),
        StandingApproval.proposed_at.label("since"),
    )
    .where(StandingApproval.state == "PROPOSED")
    .order_by(StandingApproval.standing_id)
)
_ROLLOUTS = (
    select(
        Rollout.rollout_id.label("id"),
        Rollout.title.label("title"),
        func.coalesce(Rollout.advanced_at, Rollout.created_at).label("since"),
    )
    .where(Rollout.state == "PAUSED")
    .order_by(Rollout.rollout_id)
)


@dataclass(frozen=True, slots=True)
class RightSource:
    """Requests of rights that the person can decide: neither their own nor for themselves."""

    kind: str = "right"
    permission: str = "right.decide"

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return the requests."""
        found = pending_requests(session, viewer, now)
        items = [
            InboxItem(
                self.kind,
                f"/rights#r{one.request_id}",
                t(
                    f"rights.asked.{one.kind}",
                    number=one.request_id,
                    person=one.person_id,
                    subject=one.subject,
                ),
                one.requested_at,
                due=one.lapses_at,
            )
            for one in found[:_MOST]
        ]
        return items, len(found)


SOURCES: tuple[InboxSource, ...] = (
    IssueSource("not_restored", "directive.complete", _not_restored),
    DecisionSource(),
    IssueSource("proposed", "issue.assign", _proposed),
    IssueSource("assigned", "directive.complete", _assigned),
    IssueSource("accept", "issue.accept", _to_accept),
    IssueSource("overdue", "directive.complete", _overdue),
    IssueSource("stalled", "stall.lift", _stalled, since=Issue.stalled_at),
    IssueSource("goal", "goal.decide", _goal, path="/goals"),
    RowSource("rollout", "rollout.run", _ROLLOUTS, "/rollouts/{}".format),
    RightSource(),
    RowSource("hire", "hire.decide", _HIRES, "/goals#hire-{}".format),
    RowSource("budget", "budget.raise", _BUDGETS, "/costs?pause={}".format),
    RowSource("standing", "standing.decide", _STANDING, "/standing?proposal={}".format),
    DocumentSource(),
    IssueSource("unassigned", "directive.reassign", _unassigned),
)
