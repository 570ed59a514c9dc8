"""One issue with everything that its page shows, read in one snapshot.

Data that the viewer may not see is not read at all: customers get the request, its progress and
people's comments; plans, evidence, commands and the audit log are for staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import acceptance, deciding_roles
from guardia.board.approvals import view as approval_view
from guardia.board.approvals.acceptance import AcceptanceView
from guardia.board.artifacts.attachments import AttachmentView, list_attachments
from guardia.board.audit import log
from guardia.board.control import directive_options, reopening
from guardia.board.control.directive_options import Assignee
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import agent_name, display_names_of, person_name
from guardia.board.core.form_guard import FormGuard
from guardia.board.core.lifecycle import ENDED_STATES, OPEN_STATES, State
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.costs import report
from guardia.board.costs.report import ModelCalls, ModelCallView
from guardia.board.issues import changing, editing, visibility
from guardia.board.tracker import customer_view, issue_extras, relations, task_details, timeline
from guardia.board.tracker.customer_view import Resolution
from guardia.board.tracker.issue_extras import IssueExtras
from guardia.board.tracker.relations import RelatedIssue, RelatedIssues
from guardia.board.tracker.task_details import TaskDetail
from guardia.board.tracker.timeline import Timeline, TimelineQuery
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_NEWEST = TimelineQuery()
_JUST_OPENED = FormGuard({})
_UNRESOLVED = (State.REJECTED, State.ABORTED, State.FAILED_ROLLBACK, State.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class IssueDetail:
    """An issue as its page shows it."""

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
    tasks: tuple[TaskDetail, ...]
    timeline: Timeline
    outcome: str
    """Text of the last closing entry, for viewers who may read the audit log."""
    position: int
    stalled_at: datetime | None = None
    """When its agents were stopped because of a wake loop."""
    stalled_on: str | None = None
    """The wake reason that kept repeating."""
    parent: RelatedIssue | None = None
    children: RelatedIssues = field(default_factory=RelatedIssues)
    attachments: tuple[AttachmentView, ...] = ()
    due_on: date | None = None
    model_calls: ModelCalls = field(default_factory=ModelCalls)
    """Calls of language models about the issue."""
    assignees: tuple[Assignee, ...] = ()
    """To whom its tasks can be reassigned, for viewers who may do so."""
    acceptances: tuple[AcceptanceView, ...] = ()
    """Acceptance of its completed tasks."""
    requester_message: str = ""
    """For customers: the words with which a plan for their request was last returned."""
    can_reopen: bool = False
    """Whether it has ended and the viewer may reopen it."""
    is_unresolved: bool = False
    """Whether it is an incident that ended without a change: the fault may persist."""
    can_edit: bool = False
    """Whether the viewer may edit title and description."""
    seen: str = ""
    """Token of title and description as shown."""
    extras: IssueExtras = field(default_factory=IssueExtras)
    resolution: Resolution | None = None
    """For customers: cause, action and result of a request that ended well."""
    names: dict[str, str] = field(default_factory=dict)
    """Display names of the `agent:` and `person:` ids on the page."""

    @property
    def is_open(self) -> bool:
        """Whether work on it may go on."""
        return self.status in OPEN_STATES


def get_issue(
    board: BoardContext,
    viewer: PersonInfo,
    sr_id: int,
    query: TimelineQuery = _NEWEST,
    guard: FormGuard = _JUST_OPENED,
) -> IssueDetail:
    """Return the page of an issue. Raises `NotFound` if the viewer may not see it."""
    staff, reads_log = is_allowed(viewer, "plan.read"), is_allowed(viewer, "audit.read")
    with board.database.reading() as session:
        found = visibility.find_issue(session, viewer, sr_id)
        rows = _task_rows(session, sr_id)
        tasks = _tasks(session, board, viewer, found, rows, guard, staff=staff)
        page = timeline.read_timeline(session, sr_id, query, whole=reads_log)
        has_ended = State(found.status) not in OPEN_STATES or found.status == State.MANUAL
        model_calls = report.model_calls(session, sr_id) if staff else ModelCalls()
        extras = issue_extras.read_extras(session, viewer, found)
        names = _names(session, found, tasks, page.actors, model_calls.latest, extras)
        return IssueDetail(
            sr_id=sr_id,
            title=found.title,
            body=found.body,
            status=State(found.status),
            kind=found.kind,
            category=found.category,
            priority=found.priority,
            institution=extras.institution,
            servers=tuple(dict.fromkeys(task.server for task in tasks if task.server)),
            channel=found.channel,
            room=found.room,
            requester=person_name(names, found.requester_id) or found.requester_name,
            agent=agent_name(names, found.agent_id),
            engineer=person_name(names, found.assignee_id),
            created_at=found.created_at,
            updated_at=found.updated_at,
            reasons=tuple(found.triage.get("reasons", ())) if staff else (),
            tasks=tasks,
            timeline=page,
            outcome=timeline.outcome(session, sr_id) if reads_log and has_ended else "",
            position=log.snapshot_size(session),
            stalled_at=found.stalled_at,
            stalled_on=found.stalled_on,
            parent=relations.parent(session, viewer, found),
            children=relations.children(session, viewer, sr_id),
            attachments=list_attachments(session, sr_id),
            due_on=found.due_on,
            model_calls=model_calls,
            assignees=_assignees(session, tasks),
            acceptances=acceptance.views(session, viewer, found, rows, board.clock()),
            requester_message="" if staff else approval_view.requester_message(session, sr_id),
            can_reopen=bool(rows)
            and State(found.status) in ENDED_STATES
            and reopening.may_reopen(session, viewer, found),
            is_unresolved=found.kind == "INCIDENT" and State(found.status) in _UNRESOLVED,
            can_edit=editing.may_edit(session, viewer, found),
            seen=changing.text_token(found.title, found.body),
            extras=extras,
            resolution=None if staff else _resolution(session, found, rows),
            names=names,
        )


def _assignees(session: Session, tasks: Iterable[TaskDetail]) -> tuple[Assignee, ...]:
    wanted = any("reassign" in task.available_directives for task in tasks)
    return directive_options.assignees(session) if wanted else ()


def _resolution(session: Session, found: Issue, tasks: Sequence[Task]) -> Resolution | None:
    """Return the end of a request in words; work by hand as those who did it describe it."""
    if found.status != State.COMPLETED:
        return None
    query = (
        select(Directive.reason)
        .where(Directive.sr_id == found.sr_id, Directive.verb == "complete")
        .where(Directive.detail["for_requester"].as_boolean())
        .order_by(Directive.directive_id)
    )
    return customer_view.resolution(found, tasks, session.scalars(query).all())


def _task_rows(session: Session, sr_id: int) -> Sequence[Task]:
    query = select(Task).where(Task.sr_id == sr_id).order_by(Task.task_id)
    return session.scalars(query).all()


def _tasks(
    session: Session,
    board: BoardContext,
    viewer: PersonInfo,
    found: Issue,
    tasks: Sequence[Task],
    guard: FormGuard,
    *,
    staff: bool,
) -> tuple[TaskDetail, ...]:
    if not staff:
        return task_details.progress(tasks)
    scoped = deciding_roles.scoped_roles(session, viewer, board.clock())
    return tuple(task_details.task_details(session, board, viewer, scoped, found, tasks, guard))


def _names(
    session: Session,
    found: Issue,
    tasks: Iterable[TaskDetail],
    named: set[str],
    calls: Iterable[ModelCallView],
    extras: IssueExtras,
) -> dict[str, str]:
    actors = {str(Actor.agent(found.agent_id))} if found.agent_id else set()
    actors |= {str(Actor.person(p)) for p in (found.requester_id, found.assignee_id) if p}
    votes = [v for task in tasks for s in task.steps for v in s.votes]
    actors |= {v.person for v in votes} | {v.principal for v in votes if v.principal}
    actors |= {extras.locked_by} if extras.locked_by else set()
    actors |= named | {call.actor for call in calls}
    actors |= {task.revision.author for task in tasks if task.revision}
    versions = [v for task in tasks for v in task.versions]
    actors |= {v.author for v in versions} | {v.requested_by for v in versions if v.requested_by}
    return display_names_of(session, actors)
