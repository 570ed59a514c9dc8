"""The forms with which people plan: changing what a task's plan does, and forcing one action."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.control import manual_plans
from guardia.board.control.manual_plans import PlanRevision
from guardia.board.core.planner import ActionDraft, ToolOption
from guardia.board.tracker import issue_page
from guardia.board.tracker.issue_page import TaskDetail
from guardia.board.web import errors, render
from guardia.board.web.session import BoardDep, CurrentVisitor, current_visitor
from guardia.errors import Invalid, NotFound, UserError
from guardia.i18n import t
from guardia.org.access import require_permission

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Text = Annotated[str, Form(max_length=1000)]
_MAX_ARGUMENTS_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class PlanActionRow:
    """One action of a plan as the form shows it."""

    ordinal: int
    tool: str
    args: Mapping[str, str]
    dropped: bool = False


async def read_form_texts(request: Request) -> dict[str, str]:
    """All texts of a form whose fields depend on the plan."""
    form = await request.form()
    return {name: text for name, text in form.items() if isinstance(text, str)}


FormTexts = Annotated[dict[str, str], Depends(read_form_texts)]


@router.get("/issues/{sr_id}/tasks/{task_id}/plan")
def edit_plan(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, task_id: Number
) -> Response:
    """The plan as a form."""
    work = _find_task(issue_page.get_issue(board, visitor.person, sr_id).works, task_id)
    require_permission(visitor.person, "directive.change")
    return _plan_form(request, visitor, sr_id, work, _rows(work))


@router.post("/issues/{sr_id}/tasks/{task_id}/plan")
def change_plan(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    task_id: Number,
    form: FormTexts,
    plan_hash: Annotated[str, Form(min_length=1, max_length=128)],
    reason: _Text = "",
) -> Response:
    """Put the person's plan in the place of the one that the form showed."""
    work = _find_task(issue_page.get_issue(board, visitor.person, sr_id).works, task_id)
    rows = _rows(work, form)

    def act() -> None:
        drafts = [ActionDraft(row.tool, row.args) for row in rows if not row.dropped]
        if tool := form.get("tool", ""):
            drafts.append(ActionDraft(tool, _parse_arguments(form.get("arguments", ""))))
        manual_plans.change_plan(
            board, visitor.person, task_id, PlanRevision(plan_hash, drafts, reason)
        )

    def show_form(status: int, notice: str) -> Response:
        return _plan_form(request, visitor, sr_id, work, rows, form, status=status, notice=notice)

    return _perform(request, sr_id, act, show_form)


@router.get("/issues/{sr_id}/force")
def force_action_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """The form for one action outside of any plan."""
    found = issue_page.get_issue(board, visitor.person, sr_id)
    require_permission(visitor.person, "directive.force")
    return _force_form(request, visitor, sr_id, {"server": next(iter(found.servers), "")})


@router.post("/issues/{sr_id}/force")
def force_action(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    form: FormTexts,
    server: Annotated[str, Form(max_length=100)] = "",
    tool: Annotated[str, Form(max_length=100)] = "",
    reason: _Text = "",
) -> Response:
    """Order it; it runs once it is approved."""
    issue_page.get_issue(board, visitor.person, sr_id)

    def act() -> None:
        draft = ActionDraft(tool, _parse_arguments(form.get("arguments", "")))
        manual_plans.force_action(board, visitor.person, sr_id, server, draft, reason)

    def show_form(status: int, notice: str) -> Response:
        return _force_form(request, visitor, sr_id, form, status=status, notice=notice)

    return _perform(request, sr_id, act, show_form)


def _perform(
    request: Request,
    sr_id: int,
    act: Callable[[], None],
    show_form: Callable[[int, str], Response],
) -> Response:
    """Do it and show the issue; where it is refused, the form with all that was written."""
    try:
        act()
    except UserError as error:
        status, notice = errors.page_error(request, error)
        return show_form(status, notice)
    return RedirectResponse(f"/issues/{sr_id}", status_code=303)


def _find_task(works: tuple[TaskDetail, ...], task_id: int) -> TaskDetail:
    found = next((work for work in works if work.task_id == task_id), None)
    if found is None or found.plan is None:
        raise NotFound(what=f"task {task_id}")
    return found


def _rows(work: TaskDetail, form: Mapping[str, str] | None = None) -> list[PlanActionRow]:
    """The plan's actions, with what a form says instead."""
    return list(_each_row(work, form or {}))


def _each_row(work: TaskDetail, form: Mapping[str, str]) -> Iterator[PlanActionRow]:
    for n, action in enumerate(work.plan.actions if work.plan else (), start=1):
        args = {
            name: form.get(f"{n}.{name}", text)
            for name, text in ActionDraft.of(action.call).args.items()
        }
        yield PlanActionRow(n, action.call.tool, args, dropped=f"drop.{n}" in form)


def _parse_arguments(text: str) -> dict[str, str]:
    """``name=value`` a line."""
    found = {}
    for line in filter(None, map(str.strip, text[:_MAX_ARGUMENTS_LENGTH].splitlines())):
        name, equals, value = line.partition("=")
        if not equals:
            raise Invalid(what=line, why=t("web.planning.pair"))
        found[name.strip()] = value.strip()
    return found


def _plan_form(
    request: Request,
    visitor: CurrentVisitor,
    sr_id: int,
    work: TaskDetail,
    rows: list[PlanActionRow],
    form: Mapping[str, str] | None = None,
    **words: Any,
) -> Response:
    words |= {"sr_id": sr_id, "work": work, "rows": rows}
    return _form(request, visitor, "tracker/plan_edit.html", form or {}, **words)


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
    **words: Any,
) -> Response:
    with render.use_visitor_language(request):
        options: tuple[ToolOption, ...] = request.app.state.board.planner.options()
    return render.page(
        request,
        name,
        status=status,
        visitor=visitor,
        options=options,
        form=form,
        notice=notice,
        **words,
    )
