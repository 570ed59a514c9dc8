"""Read the facts of an issue for its papers, in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from guardia.board.alerts.model import Alert
from guardia.board.approvals import view as approval_view
from guardia.board.approvals.model import Approval
from guardia.board.approvals.view import ApprovalStepView
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core import plan_versions
from guardia.board.core.actors import Actor
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.execution.model import CommandOutput
from guardia.board.papers.plan_facts import PaperPlan
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Server

_MEASURES = (
    EntryKind.RECEIVED,
    EntryKind.PARSED,
    EntryKind.ALERT_JOINED,
    EntryKind.ALERT_RESOLVED,
    EntryKind.ISSUE_ASSIGNED,
    EntryKind.PLANNED,
    EntryKind.WAIVED,
    EntryKind.STANDING_USED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.CHANGES_ASKED,
    EntryKind.STARTED,
    EntryKind.INTENT,
    EntryKind.RESULT_FAILED,
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.ORDERED,
    EntryKind.UNDONE,
    EntryKind.NOT_RESTORED,
    EntryKind.REOPENED,
    EntryKind.ACCEPTED,
)
"""What was done, in an incident report."""
_RESULTS = (EntryKind.RESULT, EntryKind.RESULT_FAILED)
_MOST = 10_000
"""Entries of one issue that are read."""


@dataclass(frozen=True, slots=True)
class AlertTimes:
    """When monitoring saw an incident."""

    began_at: datetime | None
    seen_at: datetime | None
    over_at: datetime | None
    """`None` as long as one of its alerts has not ended."""
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggedWork:
    """An audit entry about the work on an issue."""

    seq: int
    at: datetime
    actor: str
    kind: EntryKind
    text: str
    detail: dict[str, Any]

    @property
    def is_read(self) -> bool:
        """Return whether it is a command that changes nothing."""
        return self.kind is EntryKind.INTENT and self.detail.get("phase", "read") == "read"


@dataclass(frozen=True, slots=True)
class IssueRecord:
    """Everything that a paper about an issue may need."""

    issue: Issue
    tasks: Sequence[Task]
    planned: tuple[PaperPlan, ...]
    steps: tuple[tuple[Task, ApprovalStepView], ...]
    entries: tuple[LoggedWork, ...]
    """Empty for customers, as are `planned`, `steps` and `evidence`."""
    alerts: AlertTimes
    institution: str | None
    services: tuple[str, ...]
    evidence: int
    names: dict[str, str]

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the servers of its tasks."""
        return tuple(dict.fromkeys(t.target_server for t in self.tasks if t.target_server))

    def name(self, actor: str | None) -> str | None:
        """Return the display name of a stored actor."""
        return self.names.get(actor) if actor else None


def read_record(session: Session, viewer: PersonInfo, issue: Issue, *, staff: bool) -> IssueRecord:
    """Read the facts of an issue that the viewer may see; for customers only its progress."""
    rows = session.scalars(
        select(Task).where(Task.sr_id == issue.sr_id).order_by(Task.task_id)
    ).all()
    steps = _steps(session, viewer, issue, rows) if staff else ()
    entries = _entries(session, issue.sr_id) if staff else ()
    people = {str(Actor.person(p)) for p in (issue.requester_id, issue.assignee_id) if p}
    people |= {str(Actor.agent(issue.agent_id))} if issue.agent_id else set()
    people |= {task.plan_author for task in rows if task.plan_author}
    votes = [vote for _, step in steps for vote in step.votes]
    people |= {vote.person for vote in votes} | {v.principal for v in votes if v.principal}
    people |= {entry.actor for entry in entries}
    names = display_names_of(session, people)
    servers = [task.target_server for task in rows if task.target_server]
    return IssueRecord(
        issue,
        rows,
        _planned(session, rows, names) if staff else (),
        steps,
        entries,
        _alerts(session, issue.sr_id),
        _institution(session, issue.inst_id),
        _services(session, servers) if staff else (),
        _evidence(session, rows) if staff else 0,
        names,
    )


def _planned(
    session: Session, tasks: Sequence[Task], names: dict[str, str]
) -> tuple[PaperPlan, ...]:
    numbers = {
        (one.task_id, one.plan_hash): one.number
        for one in plan_versions.versions(session, [task.task_id for task in tasks])
    }
    found = []
    for task in tasks:
        if task.plan is None or task.plan_hash is None:
            continue
        plan = Plan.model_validate(task.plan)
        found.append(
            PaperPlan(
                plan,
                task.plan_hash,
                numbers.get((task.task_id, task.plan_hash)),
                task.run_after or plan.starts_at,
                names.get(task.plan_author or "", ""),
                task.category or plan.category,
            )
        )
    return tuple(found)


def _steps(
    session: Session, viewer: PersonInfo, issue: Issue, tasks: Sequence[Task]
) -> tuple[tuple[Task, ApprovalStepView], ...]:
    rows = session.scalars(
        select(Approval)
        .where(Approval.task_id.in_([task.task_id for task in tasks]))
        .order_by(Approval.approval_id, Approval.step)
    ).all()
    found = []
    for task in tasks:
        chain = approval_view.latest_steps(rows, task)
        steps = approval_view.step_views(session, (), viewer, issue, task, chain)
        found += [(task, step) for step in steps]
    return tuple(found)


def _entries(session: Session, sr_id: int) -> tuple[LoggedWork, ...]:
    query = (
        select(
            AuditEntry.seq,
            AuditEntry.created_at,
            AuditEntry.actor,
            AuditEntry.kind,
            AuditEntry.log_content,
            AuditEntry.detail,
        )
        .where(
            AuditEntry.sr_id == sr_id,
            AuditEntry.kind.in_((*_MEASURES, *_RESULTS)),
            or_(AuditEntry.kind != EntryKind.INTENT, AuditEntry.detail["phase"].astext != "read"),
        )
        .order_by(AuditEntry.seq)
        .limit(_MOST)
    )
    return tuple(
        LoggedWork(seq, at, actor, EntryKind(kind), text, detail)
        for seq, at, actor, kind, text, detail in session.execute(query)
    )


def _alerts(session: Session, sr_id: int) -> AlertTimes:
    rows = session.scalars(select(Alert).where(Alert.sr_id == sr_id).limit(1000)).all()
    ends = [row.resolved_at for row in rows]
    over = max((at for at in ends if at), default=None) if all(ends) else None
    return AlertTimes(
        min((row.started_at for row in rows), default=None),
        min((row.first_seen for row in rows), default=None),
        over,
        tuple(dict.fromkeys(row.summary or row.rule for row in rows)),
    )


def _institution(session: Session, inst_id: str | None) -> str | None:
    if inst_id is None:
        return None
    query = select(Institution.inst_name).where(Institution.inst_id == inst_id)
    return session.scalar(query) or inst_id


def _services(session: Session, servers: Sequence[str]) -> tuple[str, ...]:
    query = select(Server.services).where(Server.server_id.in_(servers))
    found = (str(one["name"]) for row in session.scalars(query) for one in row)
    return tuple(dict.fromkeys(found))


def _evidence(session: Session, tasks: Sequence[Task]) -> int:
    ids = [task.task_id for task in tasks]
    query = select(func.count()).where(CommandOutput.task_id.in_(ids))
    return session.scalar(query) or 0
