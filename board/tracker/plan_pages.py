"""Web forms for people's plans: edit a task's plan, or force one action."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from guardia.board.control import manual_plans
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.core.planner import ToolOption
from guardia.board.issues import visibility
from guardia.board.tracker import plan_form
from guardia.board.tracker.plan_form import PlannedTask
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.form_texts import form_texts
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.errors import NotFound, UserError
from guardia.org.access import require_permission
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
FormTexts = Annotated[dict[str, str], Depends(form_texts())]


@router.get("/issues/{sr_id}/tasks/{task_id}/plan")
def edit_plan(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, task_id: Number
) -> Response:
    """Show the plan as a form."""
    task = plan_form.planned_task(board, visitor.person, sr_id, task_id)
    require_permission(visitor.person, "directive.change")
    return _plan_form(request, visitor, sr_id, task, {})


@router.post("/issues/{sr_id}/tasks/{task_id}/plan")
def change_plan(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    task_id: Number,
    form: FormTexts,
    plan_hash: Annotated[str, Form(min_length=1, max_length=128), CLEANED],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Replace the plan that the form showed with the person's plan."""
    task = plan_form.planned_task(board, visitor.person, sr_id, task_id, plan_hash)

    def act() -> object:
        rows = plan_form.action_rows(task, form)
        try:
            revision = PlanRevision(plan_hash, plan_form.drafts(rows, form), reason)
            return manual_plans.change_plan(board, visitor.person, task_id, revision)
        except UserError as error:
            error.detail["field"] = plan_form.field_of(error, rows)
            raise

    return actions.submit_fields(
        request,
        act,
        on_success=f"/issues/{sr_id}",
        on_refusal=partial(_plan_form, request, visitor, sr_id, task, form),
    )


@router.post("/issues/{sr_id}/tasks/{task_id}/exception")
def request_exception(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    task_id: Number,
    plan_hash: Annotated[str, Form(min_length=1, max_length=128), CLEANED],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Ask for an exception from the rules that the shown plan breaks."""
    task = plan_form.planned_task(board, visitor.person, sr_id, task_id, plan_hash)
    return actions.submit(
        request,
        lambda: manual_plans.request_exception(board, visitor.person, task_id, plan_hash, reason),
        on_success=f"/issues/{sr_id}",
        on_refusal=partial(_exception_form, request, visitor, sr_id, task, reason),
    )


def _exception_form(
    request: Request,
    visitor: CurrentVisitor,
    sr_id: int,
    task: PlannedTask,
    reason: str,
    *,
    status: int,
    notice: str,
) -> Response:
    return render.page(
        request,
        "tracker/exception.html",
        status=status,
        visitor=visitor,
        sr_id=sr_id,
        task=task,
        reason_text=reason,
        notice=notice,
    )


@router.get("/issues/{sr_id}/force")
def force_action_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show the form for one action that is in no plan."""
    server = plan_form.first_server(board, visitor.person, sr_id)
    require_permission(visitor.person, "directive.force")
    return _force_form(request, visitor, sr_id, {"server": server})


@router.post("/issues/{sr_id}/force")
def force_action(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    form: FormTexts,
    server: Annotated[str, Form(max_length=100), FOLDED] = "",
    tool: Annotated[str, Form(max_length=100), CLEANED] = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """File the action as a plan of its own, which runs once it is approved."""
    visibility.require_issue(board, visitor.person, sr_id)

    def act() -> object:
        try:
            draft = plan_form.added_action(tool, form)
            return manual_plans.force_action(board, visitor.person, sr_id, server, draft, reason)
        except NotFound as error:
            error.detail["field"] = "server"
            raise
        except UserError as error:
            error.detail.setdefault("field", _wrong_field(board, tool, error))
            raise

    return actions.submit_fields(
        request,
        act,
        on_success=f"/issues/{sr_id}",
        on_refusal=partial(_force_form, request, visitor, sr_id, form),
    )


def _wrong_field(board: BoardDep, tool: str, error: UserError) -> str:
    """Return the field of a forced action that an error is about, or an empty text."""
    if tool not in {option.tool for option in board.planner.options()}:
        return "tool"
    return "arguments" if error.detail.get("argument") else ""


def _plan_form(
    request: Request,
    visitor: CurrentVisitor,
    sr_id: int,
    task: PlannedTask,
    form: Mapping[str, str],
    **words: Any,
) -> Response:
    words |= {"sr_id": sr_id, "task": task, "rows": plan_form.action_rows(task, form)}
    return _form(request, visitor, "tracker/plan_edit.html", form, **words)


def _force_form(
    request: Request, visitor: CurrentVisitor, sr_id: int, form: Mapping[str, str], **words: Any
) -> Response:
    return _form(request, visitor, "tracker/force.html", form, sr_id=sr_id, **words)


def _form(
    request: Request,
    visitor: CurrentVisitor,
    name: str,
    form: Mapping[str, str],
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
    **words: Any,
) -> Response:
    """Show a form; with a `field`, the notice is at it instead of at the top."""
    with render.use_visitor_language(request):
        options: tuple[ToolOption, ...] = request.app.state.board.planner.options()
    return render.page(
        request,
        name,
        status=status,
        visitor=visitor,
        options=options,
        form=form,
        notice="" if field else notice,
        errors={field: notice} if field else {},
        **words,
    )
