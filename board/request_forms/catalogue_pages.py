"""The page that changes the catalogue: edit, see the plan, apply it, go back to an earlier one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.request_forms import catalogue, revisions
from guardia.board.request_forms.revisions import CatalogueChange
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import GuardiaError
from guardia.org.access import require_permission
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/requests/catalogue"
_MOST = 2**63 - 1
_Number = Annotated[int | None, Query(ge=0, le=_MOST)]


@router.get(PATH)
def show(
    request: Request, board: BoardDep, visitor: CurrentVisitor, revision: _Number = None
) -> Response:
    """Show the catalogue in force, or an earlier one to go back to; 0 is the shipped one."""
    in_force, text = revisions.running_text(board)
    if revision is None or revision == in_force:
        return _page(request, board, visitor, text=text, seen=in_force)
    earlier = revisions.text_of(board, revision)
    return _page(request, board, visitor, text=earlier, seen=in_force, back_to=revision)


@router.post(PATH)
def change(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    act: Annotated[Literal["plan", "apply"], Form()] = "plan",
    text: Annotated[str, Form(max_length=catalogue.MOST_TEXT), CLEANED] = "",
    seen: Annotated[int, Form(ge=0, le=_MOST)] = 0,
) -> Response:
    """Show what a catalogue would change, or apply exactly that."""
    require_permission(visitor.person, "form.edit")
    text = text.replace("\r\n", "\n")
    show_again = partial(_page, request, board, visitor, text=text, seen=seen)
    if act == "apply":
        return actions.submit(
            request,
            lambda: revisions.apply(board, visitor.person, text, seen),
            on_success=PATH,
            on_refusal=show_again,
        )
    with render.use_visitor_language(request):
        try:
            _, changes = revisions.plan(board, text)
        except GuardiaError as error:
            return show_again(status=422, notice=errors.message_of(error))
    return show_again(plan=changes)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    text: str,
    seen: int,
    back_to: int | None = None,
    plan: tuple[CatalogueChange, ...] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "request_forms/catalogue.html",
        status=status,
        visitor=visitor,
        text=text,
        seen=seen,
        back_to=back_to,
        plan=plan,
        running=revisions.running_text(board)[0],
        history=revisions.history(board),
        notice=notice,
        most=catalogue.MOST_TEXT,
    )
