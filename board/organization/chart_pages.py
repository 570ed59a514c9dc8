"""The page that changes the org chart: edit, see the plan, apply it, go back to an earlier one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import chart
from guardia.board.organization.chart import ChartPreview
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import GuardiaError, Invalid, Misconfigured
from guardia.org.access import require_permission
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/org/edit"
MAX_TEXT = 400_000
_MOST = 2**63 - 1


@router.get(PATH)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    revision: Annotated[int | None, Query(ge=1, le=_MOST)] = None,
) -> Response:
    """Show the running chart, or an earlier one to go back to."""
    running, text = chart.running_text(board)
    if revision is not None and revision != running:
        text = chart.chart_text(board, revision)
        return _page(request, board, visitor, text=text, seen=running, back_to=revision)
    return _page(request, board, visitor, text=text, seen=running)


@router.post(PATH)
def change(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    act: Annotated[Literal["plan", "apply"], Form()] = "plan",
    text: Annotated[str, Form(max_length=MAX_TEXT), CLEANED] = "",
    seen: Annotated[int, Form(ge=0, le=_MOST)] = 0,
    back_to: Annotated[int, Form(ge=0, le=_MOST)] = 0,
) -> Response:
    """Show what a chart would change, or apply exactly that."""
    require_permission(visitor.person, "org.edit")
    text = text.replace("\r\n", "\n")
    if act == "plan":
        return _planned(request, board, visitor, text, seen, back_to or None)
    actor = Actor.of(visitor.person)

    def apply() -> int:
        try:
            return chart.apply_chart(board, text, actor, seen, back_to=back_to or None)
        except Misconfigured as error:
            raise Invalid(what=error.detail["what"], why=error.detail["why"]) from error

    show_again = partial(
        _page, request, board, visitor, text=text, seen=seen, back_to=back_to or None
    )
    return actions.submit(
        request,
        apply,
        on_success=lambda number: f"/org/revisions/{number}",
        on_refusal=show_again,
    )


def _planned(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    text: str,
    seen: int,
    back_to: int | None,
) -> Response:
    try:
        with render.use_visitor_language(request):
            found = chart.preview(board, text)
    except GuardiaError as error:
        with render.use_visitor_language(request):
            notice = errors.message_of(error)
        return _page(
            request,
            board,
            visitor,
            text=text,
            seen=seen,
            back_to=back_to,
            status=422,
            notice=notice,
        )
    return _page(request, board, visitor, text=text, seen=seen, back_to=back_to, plan=found)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    text: str,
    seen: int,
    back_to: int | None = None,
    plan: ChartPreview | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "organization/org_edit.html",
        status=status,
        visitor=visitor,
        text=text,
        seen=seen,
        back_to=back_to,
        plan=plan,
        changes=[(change.kind, str(change)) for change in plan.changes] if plan else [],
        running=chart.running_text(board)[0],
        notice=notice,
        most=MAX_TEXT,
    )
