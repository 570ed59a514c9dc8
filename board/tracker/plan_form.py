"""Form of a task's plan: its actions and arguments, with a person's changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.planner import ActionDraft
from guardia.board.execution import plan_history, planned_changes
from guardia.board.execution.planned_changes import ChangeConflict
from guardia.board.issues import visibility
from guardia.board.tracker import plan_revisions
from guardia.board.tracker.plan_revisions import PlanRevisionView
from guardia.errors import Invalid, NotFound, UserError
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_MAX_ARGUMENTS_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task with the plan that the form edits."""

    task_id: int
    status: State
    server: str | None
    plan: Plan
    """The plan that the form was opened with, if it is known."""
    plan_hash: str | None
    """Hash of the present plan."""
    choices: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """By action: the values that the evidence permits, by argument."""
    revision: PlanRevisionView | None = None
    """What replaced the plan that the form was opened with."""
    conflicts: tuple[ChangeConflict, ...] = ()
    """Other planned changes at the same time."""


@dataclass(frozen=True, slots=True)
class PlanActionRow:
    """An action of a plan as the form shows it."""

    ordinal: int
    tool: str
    args: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that the evidence of the diagnosis permits, by argument."""
    dropped: bool = False


def planned_task(
    board: BoardContext, viewer: PersonInfo, sr_id: int, task_id: int, opened_with: str = ""
) -> PlannedTask:
    """Return a task with the plan that its form shows. Raises `NotFound` if there is none to see.

    `opened_with` is the hash of the plan that the form was opened with.
    """
    with board.database.reading() as session:
        found = visibility.find_task(session, viewer, sr_id, task_id)
        if found is None or not found.plan or not is_allowed(viewer, "plan.read"):
            raise NotFound(what=f"task {task_id}")
        is_stale = opened_with not in ("", found.plan_hash)
        earlier = plan_revisions.filed_plan(session, task_id, opened_with) if is_stale else None
        plan = earlier or Plan.model_validate(found.plan)
        evidence = plan_history.evidence_of(session, sr_id, plan.server)
        choices = tuple(
            board.planner.permitted_values(ActionDraft.of(action.call), evidence)
            for action in plan.actions
        )
        return PlannedTask(
            found.task_id,
            State(found.status),
            found.target_server,
            plan,
            found.plan_hash,
            choices,
            plan_revisions.plan_revision(session, found, opened_with) if is_stale else None,
            planned_changes.conflicts_of(
                session, plan.server, found.run_after or plan.starts_at, [task_id]
            ),
        )


def first_server(board: BoardContext, viewer: PersonInfo, sr_id: int) -> str:
    """Return the server of an issue's first task, or an empty text if no task has one."""
    query = (
        select(Task.target_server)
        .where(Task.sr_id == sr_id, Task.target_server.is_not(None))
        .order_by(Task.task_id)
        .limit(1)
    )
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        return session.scalar(query) or ""


def action_rows(task: PlannedTask, form: Mapping[str, str]) -> list[PlanActionRow]:
    """Return the plan's actions with the changes of a form."""
    return list(_each_row(task, form))


def drafts(rows: list[PlanActionRow], form: Mapping[str, str]) -> list[ActionDraft]:
    """Return the actions that a form keeps, and the one that it adds."""
    found = [ActionDraft(row.tool, row.args) for row in rows if not row.dropped]
    if tool := form.get("tool", ""):
        found.append(added_action(tool, form))
    return found


def field_of(error: UserError, rows: list[PlanActionRow]) -> str:
    """Return the name of the form's field that an error is about, or an empty text."""
    number = error.detail.get("draft")
    if number is None:
        return str(error.detail.get("field", ""))
    kept = [row for row in rows if not row.dropped]
    if not isinstance(number, int) or number >= len(kept):
        return "arguments" if error.detail.get("argument") else "tool"
    argument = error.detail.get("argument")
    row = kept[number]
    return f"{row.ordinal}.{argument}" if argument in row.args else ""


def added_action(tool: str, form: Mapping[str, str]) -> ActionDraft:
    """Return the action that a form names, with its arguments as `name=value` lines."""
    return ActionDraft(tool, _parse_arguments(form.get("arguments", "")))


def _each_row(task: PlannedTask, form: Mapping[str, str]) -> Iterator[PlanActionRow]:
    known = task.choices or ({},) * len(task.plan.actions)
    for n, (action, choices) in enumerate(zip(task.plan.actions, known, strict=True), start=1):
        args = {
            name: form.get(f"{n}.{name}", text)
            for name, text in ActionDraft.of(action.call).args.items()
        }
        yield PlanActionRow(n, action.call.tool, args, choices, dropped=f"drop.{n}" in form)


def _parse_arguments(text: str) -> dict[str, str]:
    found = {}
    for line in filter(None, map(str.strip, text[:_MAX_ARGUMENTS_LENGTH].splitlines())):
        name, equals, value = line.partition("=")
        if not equals:
            raise Invalid(what=line, why=t("web.planning.pair"), field="arguments")
        found[name.strip()] = value.strip()
    return found
