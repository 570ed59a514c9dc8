"""Everything one page shows of one issue, in one snapshot.

What a viewer may not see is not read at all: customers get the request, its progress and what
people wrote; plans, evidence, commands and the record are for staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests, view
from guardia.board.approvals.model import Approval
from guardia.board.approvals.policy import ApproverRole
from guardia.board.approvals.view import ApprovalStepView
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.model import ActionRun, Comment, Directive, Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.costs import report
from guardia.board.costs.report import ModelCallView
from guardia.board.execution.model import CommandOutput
from guardia.board.execution.tasks import plan_hash
from guardia.board.issues import visibility
from guardia.board.tracker import relations
from guardia.board.tracker.relations import RelatedIssue
from guardia.errors import NotFound
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

PROGRESS_KINDS = (
    EntryKind.RECEIVED,
    EntryKind.PARSED,
    EntryKind.PLANNED,
    EntryKind.WAIVED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.CHANGES_ASKED,
    EntryKind.STARTED,
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
)
"""Kinds of entries whose bare fact a customer may know."""
_END_KINDS = (
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.REJECTED,
    EntryKind.UNDONE,
    EntryKind.NOT_RESTORED,
)
_MAX_OUTPUT = 4000
_MAX_ENTRIES = 500
_MAX_OUTPUTS = 200
_MAX_COMMENTS = 300


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A link of the record as people read it. Without rights to the record, only its kind."""

    kind: str
    created_at: datetime
    seq: int = 0
    actor: str = ""
    text: str = ""
    current_hash: str = ""


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment."""

    comment_id: int
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CommandOutputView:
    """What a remote read found."""

    evidence_id: int
    tool: str
    command: str
    findings: dict[str, Any]
    output: str
    """The beginning of the raw output."""
    length: int
    """Characters of the whole output."""
    sha256: str
    created_at: datetime
    before_plan: bool
    """Whether it led to the plan, rather than checked what the plan did."""


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """One task with its plan."""

    task_id: int
    status: State
    server: str | None
    category: str | None
    plan: Plan | None
    plan_hash: str | None
    run_after: datetime | None
    """Approved, but not to be run before."""
    is_hash_valid: bool
    """Whether the plan is the one that its hash names."""
    steps: tuple[ApprovalStepView, ...]
    attempts: dict[tuple[int, str], str]
    """State by (ordinal, ``do`` or ``undo``)."""
    readings: tuple[CommandOutputView, ...]
    paused: bool = False
    undoing: bool = False
    """Whether its agent has still to undo it on a person's order."""
    orders: tuple[str, ...] = ()
    """What the viewer may order of it now."""


@dataclass(frozen=True, slots=True)
class IssueDetail:
    """The issue page."""

    sr_id: int
    title: str
    body: str
    status: State
    kind: str | None
    category: str | None
    priority: str | None
    institution: str | None
    servers: tuple[str, ...]
    channel: str
    room: str
    requester: str
    agent: str | None
    engineer: str | None
    created_at: datetime
    updated_at: datetime
    reasons: tuple[str, ...]
    works: tuple[TaskDetail, ...]
    comments: tuple[CommentView, ...]
    entries: tuple[TimelineEntry, ...]
    outcome: str
    """What the last ending said, for those who may read the record."""
    position: int
    stalled_at: datetime | None = None
    """Since when its agents go round in circles, for which reason."""
    stalled_on: str | None = None
    parent: RelatedIssue | None = None
    children: tuple[RelatedIssue, ...] = ()
    due_on: date | None = None
    asked: tuple[ModelCallView, ...] = ()
    """What models were asked about it."""
    names: dict[str, str] = field(default_factory=dict)
    """Names of ``agent:`` and ``person:`` ids that appear."""


def get_issue(board: BoardContext, viewer: PersonInfo, sr_id: int, *, seen: int = 0) -> IssueDetail:
    """The page of an issue; ``NotFound`` where there is none for this viewer.

    ``seen``: the length of the record that a page has seen; only later entries are read.
    """
    staff, reads_record = is_allowed(viewer, "plan.read"), is_allowed(viewer, "audit.read")
    with board.database.reading() as session:
        found = _require_issue(session, viewer, sr_id)
        tasks = session.scalars(select(Task).where(Task.sr_id == sr_id).order_by(Task.task_id))
        approver_roles = requests.approver_roles(session, viewer, board.clock(), found.inst_id)
        works = tuple(
            _task_details(session, viewer, approver_roles, found, tasks.all(), detail=staff)
        )
        comments = _comments(session, sr_id, staff=staff)
        entries = _entries(session, sr_id, seen, whole=reads_record)
        asked = report.model_calls(session, sr_id) if staff else ()
        names = _names(session, found, works, comments, (*entries, *asked))
        inst = session.get(Institution, found.inst_id) if found.inst_id else None
        return IssueDetail(
            sr_id=sr_id,
            title=found.title,
            body=found.body,
            status=State(found.status),
            kind=found.kind,
            category=found.category,
            priority=found.priority,
            institution=inst.inst_name if inst else found.inst_id,
            servers=tuple(dict.fromkeys(w.server for w in works if w.server)),
            channel=found.channel,
            room=found.room,
            requester=names.get(f"person:{found.requester_id}") or found.requester_name,
            agent=names.get(f"agent:{found.agent_id}"),
            engineer=names.get(f"person:{found.assignee_id}"),
            created_at=found.created_at,
            updated_at=found.updated_at,
            reasons=tuple(found.triage.get("reasons", ())) if staff else (),
            works=works,
            comments=comments,
            entries=entries,
            outcome=_outcome(session, sr_id) if reads_record else "",
            position=log.snapshot_size(session),
            stalled_at=found.stalled_at,
            stalled_on=found.stalled_on,
            parent=relations.parent(session, viewer, found),
            children=relations.children(session, viewer, sr_id),
            due_on=found.due_on,
            asked=asked,
            names=names,
        )


def get_output(board: BoardContext, viewer: PersonInfo, sr_id: int, evidence_id: int) -> str:
    """The whole raw output of one read; ``NotFound`` where there is none for this viewer."""
    with board.database.reading() as session:
        _require_issue(session, viewer, sr_id)
        row = session.get(CommandOutput, evidence_id)
        if row is None or row.sr_id != sr_id or not is_allowed(viewer, "plan.read"):
            raise NotFound(what=f"{issue_ref(sr_id)}/{evidence_id}")
        return row.output


def _require_issue(session: Session, viewer: PersonInfo, sr_id: int) -> Issue:
    found = session.scalar(select(Issue).where(Issue.sr_id == sr_id, visibility.visible_to(viewer)))
    if found is None:
        raise NotFound(what=issue_ref(sr_id))
    return found


def _task_details(
    session: Session,
    viewer: PersonInfo,
    approver_roles: Sequence[ApproverRole],
    found: Issue,
    tasks: Iterable[Task],
    *,
    detail: bool,
) -> Iterable[TaskDetail]:
    known = list(tasks)
    if not detail:
        for task in known:
            state = State(task.status)
            yield TaskDetail(
                task.task_id, state, task.target_server, None, None, None, None, True, (), {}, ()
            )
        return
    ids = [t.task_id for t in known]
    asked = session.scalars(
        select(Approval)
        .where(Approval.task_id.in_(ids))
        .order_by(Approval.approval_id, Approval.step)
    ).all()
    attempts = session.scalars(select(ActionRun).where(ActionRun.task_id.in_(ids))).all()
    readings = _output_rows(session, found.sr_id)
    planned = _plan_times(session, found.sr_id)
    undoing = set(
        session.scalars(
            select(Directive.task_id).where(
                Directive.task_id.in_(ids), Directive.state == "UNDOING"
            )
        )
    )
    for task in known:
        plan = Plan.model_validate(task.plan) if task.plan else None
        own = view.latest_steps(asked, task)
        yield TaskDetail(
            task_id=task.task_id,
            status=State(task.status),
            server=task.target_server,
            category=task.category,
            plan=plan,
            plan_hash=task.plan_hash,
            run_after=task.run_after if task.status == State.APPROVED else None,
            is_hash_valid=plan is None
            or plan_hash(task.task_id, plan, task.attempt) == task.plan_hash,
            steps=tuple(view.step_views(session, approver_roles, viewer, found, task, own)),
            attempts={
                (a.ordinal, a.phase): a.state
                for a in attempts
                if (a.task_id, a.plan_hash) == (task.task_id, task.plan_hash)
            },
            readings=tuple(
                _output_view(r, planned.get(task.task_id)) for r in readings if r[1] == task.task_id
            ),
            paused=task.paused,
            undoing=task.task_id in undoing,
            orders=_available_directives(viewer, task, undoing=task.task_id in undoing),
        )


def _available_directives(viewer: PersonInfo, task: Task, *, undoing: bool) -> tuple[str, ...]:
    planned, state = task.plan is not None, State(task.status)
    known = directives.allowed_verbs(state, paused=task.paused, undoing=undoing, planned=planned)
    return tuple(verb for verb in known if is_allowed(viewer, f"directive.{verb}"))


def _output_rows(session: Session, sr_id: int) -> list[Any]:
    latest = (
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
    return list(session.execute(latest))[::-1]


def _output_view(row: Any, planned: datetime | None) -> CommandOutputView:
    fields = row._asdict()
    del fields["task_id"]
    return CommandOutputView(
        **fields, before_plan=planned is None or fields["created_at"] <= planned
    )


def _plan_times(session: Session, sr_id: int) -> dict[int | None, datetime]:
    """When each task's present plan was filed."""
    found = session.execute(
        select(AuditEntry.task_id, func.max(AuditEntry.created_at))
        .where(
            AuditEntry.sr_id == sr_id, AuditEntry.kind.in_((EntryKind.PLANNED, EntryKind.WAIVED))
        )
        .group_by(AuditEntry.task_id)
    )
    return {row[0]: row[1] for row in found}


def _comments(session: Session, sr_id: int, *, staff: bool) -> tuple[CommentView, ...]:
    query = select(Comment).where(Comment.sr_id == sr_id)
    if not staff:
        # Agents write of diagnoses and servers; customers read what people tell them.
        query = query.where(Comment.author.startswith("person:"))
    found = session.scalars(query.order_by(Comment.comment_id.desc()).limit(_MAX_COMMENTS)).all()
    return tuple(CommentView(c.comment_id, c.author, c.body, c.created_at) for c in reversed(found))


def _entries(session: Session, sr_id: int, seen: int, *, whole: bool) -> tuple[TimelineEntry, ...]:
    query = select(AuditEntry).where(AuditEntry.sr_id == sr_id, AuditEntry.seq > seen)
    if not whole:
        query = query.where(AuditEntry.kind.in_(PROGRESS_KINDS))
    found = session.scalars(query.order_by(AuditEntry.seq.desc()).limit(_MAX_ENTRIES)).all()
    return tuple(
        TimelineEntry(e.kind, e.created_at, e.seq, e.actor, e.log_content, e.current_hash)
        if whole
        else TimelineEntry(e.kind, e.created_at)
        for e in reversed(found)
    )


def _outcome(session: Session, sr_id: int) -> str:
    detail = session.scalar(
        select(AuditEntry.detail)
        .where(AuditEntry.sr_id == sr_id, AuditEntry.kind.in_(_END_KINDS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    return str((detail or {}).get("text") or (detail or {}).get("reason") or "")


def _names(
    session: Session,
    found: Issue,
    works: Iterable[TaskDetail],
    comments: Iterable[CommentView],
    done: Iterable[TimelineEntry | ModelCallView],
) -> dict[str, str]:
    actors = {f"agent:{found.agent_id}"}
    actors |= {f"person:{p}" for p in (found.requester_id, found.assignee_id) if p}
    votes = [v for w in works for s in w.steps for v in s.votes]
    actors |= {v.person for v in votes} | {v.principal for v in votes if v.principal}
    actors |= {c.author for c in comments} | {e.actor for e in done}
    return display_names_of(session, actors)
