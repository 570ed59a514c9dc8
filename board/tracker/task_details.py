"""The tasks of an issue as its page shows them: plan, approvals, attempts and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from guardia.board.approvals import deciding_roles, requests, view
from guardia.board.approvals.deciding_roles import ScopedApproverRole
from guardia.board.approvals.model import Approval
from guardia.board.approvals.view import ApprovalStepView
from guardia.board.control import directive_options, directives
from guardia.board.control.directive_options import DirectiveOption
from guardia.board.core.context import BoardContext
from guardia.board.core.form_guard import FormGuard, GuardedForm
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import ActionRun, Directive, Issue, Task
from guardia.board.core.plan import Plan
from guardia.board.core.run_model import ServerWait
from guardia.board.execution import output_view, plan_history, planned_changes, rule_check
from guardia.board.execution.output_view import TaskOutputs
from guardia.board.execution.plan_history import PlanVersionView
from guardia.board.execution.planned_changes import ChangeConflict
from guardia.board.execution.rule_check import Ruling
from guardia.board.execution.tasks import plan_hash
from guardia.board.tracker import plan_revisions, plan_summary
from guardia.board.tracker.plan_revisions import PlanRevisionView
from guardia.board.tracker.plan_summary import PlanSummary
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """One task with its plan."""

    task_id: int
    status: State
    server: str | None
    category: str | None = None
    plan: Plan | None = None
    plan_hash: str | None = None
    run_after: datetime | None = None
    """The earliest start of an approved plan."""
    is_hash_valid: bool = True
    """Whether the stored plan matches its hash."""
    steps: tuple[ApprovalStepView, ...] = ()
    passkey_demanded: bool = False
    """Whether the viewer can decide now and must sign an approval with a passkey."""
    attempts: dict[tuple[int, str], str] = field(default_factory=dict)
    """State by (ordinal, `do` or `undo`)."""
    outputs: TaskOutputs = field(default_factory=TaskOutputs)
    paused: bool = False
    undoing: bool = False
    """Whether its agent is to roll it back on a directive."""
    versions: tuple[PlanVersionView, ...] = ()
    """All its plans in the order of filing; the last one is `plan`, unless it was returned."""
    waits_for: str | None = None
    """The issue whose change of the same server has to end first, such as `SR-12`."""
    available_directives: tuple[str, ...] = ()
    """Verbs of the directives that the viewer may issue now."""
    decision_form: GuardedForm | None = None
    ruling: Ruling = field(default_factory=Ruling)
    """What the rules of the site say to the plan of an open task."""
    conflicts: tuple[ChangeConflict, ...] = ()
    """Other planned changes at the same time, while the plan waits for a decision or its time."""
    revision: PlanRevisionView | None = None
    """What replaced the plan that the viewer's decision form was opened with."""

    @property
    def is_open(self) -> bool:
        """Return whether work on it may still go on."""
        return self.status in OPEN_STATES

    @property
    def summary(self) -> PlanSummary | None:
        """Return the facts of the plan, in the language of the reader."""
        return plan_summary.summarize_plan(self.plan) if self.plan else None

    @property
    def seen_state(self) -> str:
        """Return the state that the forms of directives are bound to."""
        return directives.seen_state(self.status, undoing=self.undoing)

    @property
    def directive_options(self) -> tuple[DirectiveOption, ...]:
        """Return the directives with their consequences."""
        return directive_options.directive_options(
            self.available_directives, self.status, undoing=self.undoing
        )

    @property
    def agents_can_take(self) -> bool:
        """Return whether the task can be given to another agent."""
        return directive_options.agents_can_take(self.status)

    @property
    def step_to_decide(self) -> ApprovalStepView | None:
        """Return the step that the viewer can decide now."""
        return next((step for step in self.steps if step.mine), None)


def progress(tasks: Sequence[Task]) -> tuple[TaskDetail, ...]:
    """Return the details of tasks that a customer may see."""
    return tuple(TaskDetail(t.task_id, State(t.status), t.target_server) for t in tasks)


def task_details(
    session: Session,
    board: BoardContext,
    viewer: PersonInfo,
    scoped_roles: Sequence[ScopedApproverRole],
    issue: Issue,
    tasks: Sequence[Task],
    guard: FormGuard,
) -> Iterable[TaskDetail]:
    """Yield the full details of tasks for staff, reading each table once for all of them."""
    ids = [t.task_id for t in tasks]
    approvals = session.scalars(
        select(Approval)
        .where(Approval.task_id.in_(ids))
        .order_by(Approval.approval_id, Approval.step)
    ).all()
    attempts = session.scalars(select(ActionRun).where(ActionRun.task_id.in_(ids))).all()
    outputs = output_view.outputs_by_task(session, issue.sr_id)
    undoing = _undoing_tasks(session, _in_states(tasks, State.IN_PROGRESS, State.COMPLETED))
    waiting = _waiting_tasks(session, _in_states(tasks, State.APPROVED))
    versions = plan_history.plan_history(session, board.planner, ids)
    for task in tasks:
        plan = Plan.model_validate(task.plan) if task.plan else None
        chain = view.latest_steps(approvals, task)
        roles = deciding_roles.roles_on(scoped_roles, issue.inst_id, task.target_server)
        steps = tuple(view.step_views(session, roles, viewer, issue, task, chain))
        is_undoing = task.task_id in undoing
        form = guard.form(f"decision-{task.task_id}", task.plan_hash or "")
        earlier = form.shown if form.is_stale else form.since
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
            steps=steps,
            passkey_demanded=any(step.mine for step in steps)
            and requests.is_passkey_demanded(session, task, chain),
            attempts={
                (a.ordinal, a.phase): a.state
                for a in attempts
                if (a.task_id, a.plan_hash) == (task.task_id, task.plan_hash)
            },
            outputs=outputs.get(task.task_id, TaskOutputs()),
            paused=task.paused,
            undoing=is_undoing,
            versions=versions.get(task.task_id, ()),
            waits_for=waiting.get(task.task_id),
            available_directives=_available_directives(
                viewer, task, undoing=is_undoing, waiting=task.task_id in waiting
            ),
            decision_form=form,
            ruling=_ruling(session, board, task, plan),
            conflicts=_conflicts(session, task, plan),
            revision=plan_revisions.plan_revision(session, task, earlier) if earlier else None,
        )


def _conflicts(session: Session, task: Task, plan: Plan | None) -> tuple[ChangeConflict, ...]:
    """Return what a plan collides with before it has begun."""
    if plan is None or task.status not in (State.PENDING_APPROVAL, State.APPROVED):
        return ()
    start = task.run_after or plan.starts_at
    return planned_changes.conflicts_of(session, plan.server, start, [task.task_id])


def _ruling(session: Session, board: BoardContext, task: Task, plan: Plan | None) -> Ruling:
    """Return what the rules say to a plan at its start; nothing once the task has ended."""
    if plan is None or task.status not in OPEN_STATES or task.status == State.MANUAL:
        return Ruling()
    start = max(at for at in (board.clock(), plan.starts_at, task.run_after) if at is not None)
    return rule_check.rule_on(session, board.planner, task, plan, start)


def _in_states(tasks: Sequence[Task], *states: State) -> list[int]:
    return [task.task_id for task in tasks if task.status in states]


def _undoing_tasks(session: Session, task_ids: Sequence[int]) -> set[int]:
    if not task_ids:
        return set()
    query = select(Directive.task_id).where(
        Directive.task_id.in_(task_ids), Directive.state == "UNDOING"
    )
    return set(session.scalars(query))


def _waiting_tasks(session: Session, task_ids: Sequence[int]) -> dict[int, str]:
    """Return the issues that tasks wait for, by task."""
    if not task_ids:
        return {}
    holder = aliased(Task)
    query = (
        select(ServerWait.task_id, holder.sr_id)
        .join(holder, holder.task_id == ServerWait.holder_id)
        .where(ServerWait.task_id.in_(task_ids))
    )
    return {row.task_id: issue_ref(row.sr_id) for row in session.execute(query)}


def _available_directives(
    viewer: PersonInfo, task: Task, *, undoing: bool, waiting: bool
) -> tuple[str, ...]:
    planned, state = task.plan is not None, State(task.status)
    known = directives.allowed_verbs(
        state, paused=task.paused, undoing=undoing, planned=planned, waiting=waiting
    )
    return tuple(verb for verb in known if is_allowed(viewer, f"directive.{verb}"))
