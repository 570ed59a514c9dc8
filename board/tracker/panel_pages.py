"""Pages that change an issue without leaving it: the side panel, its family, lock and followers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from pydantic import BaseModel, StringConstraints

from guardia.board.control import closing
from guardia.board.core.context import BoardContext
from guardia.board.issues import family, following, locking, visibility
from guardia.board.issues.following import Following
from guardia.board.tracker import panel, text_history
from guardia.board.tracker.panel import Field, FieldForm, FieldInput
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import UserError
from guardia.text import CLEANED, Body, Reason, Title

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_MAX)]
Name = Annotated[Field, Path()]
_Short = Annotated[str, Form(max_length=200), CLEANED]
_Sent = Annotated[str, StringConstraints(max_length=200), CLEANED]


class FieldFormData(BaseModel):
    """The form of a field: the texts have two, the others one or several values."""

    csrf: _Sent = ""
    value: list[_Sent] = []
    title: Title = ""
    body: Body = ""
    seen: _Sent = ""
    reason: Reason = ""


CHANGED = {"HX-Trigger": "issue-changed"}
"""Header by which an open page reads again what it shows."""


@router.get("/issues/{sr_id}/edit/{name}")
def show_field(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, name: Name
) -> Response:
    """Show the form of one field: inside the issue's page, or without scripts on its own."""
    form = panel.read_form(board, visitor.person, sr_id, name)
    return _form(request, visitor, sr_id, form)


def _form(
    request: Request,
    visitor: Visitor,
    sr_id: int,
    form: FieldForm,
    *,
    given: FieldInput | None = None,
    error: str = "",
    status: int = 200,
) -> Response:
    filled = given or FieldInput(form.chosen, form.title, form.body, form.seen)
    context = {"sr_id": sr_id, "form": form, "given": filled}
    return show_form(request, visitor, "field", error=error, status=status, **context)


def show_form(
    request: Request, visitor: Visitor, name: str, *, error: str, status: int, **context: Any
) -> Response:
    """Show a form on a page of its own, or only the form to the script of an open page."""
    template = f"tracker/{name}_{'form' if is_fragment(request) else 'page'}.html"
    answer = render.page(request, template, status=status, visitor=visitor, error=error, **context)
    if error:
        answer.headers["X-Refused-Form"] = "true"
    return answer


@router.post("/issues/{sr_id}/edit/{name}")
def set_field(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    name: Name,
    sent: Annotated[FieldFormData, Form()],
) -> Response:
    """Set one field; a refused form is shown again as it was sent."""
    values = tuple(v.strip() for v in sent.value if v.strip())
    given = FieldInput(values, sent.title, sent.body, sent.seen, sent.reason)
    try:
        panel.set_field(board, visitor.person, sr_id, name, given)
    except UserError as error:
        if not errors.wants_page(request):
            raise
        with render.use_visitor_language(request):
            why = errors.message_of(error)
        form = panel.read_form(board, visitor.person, sr_id, name)
        status = errors.status_of(error)
        return _form(request, visitor, sr_id, form, given=given, error=why, status=status)
    return done(request, sr_id)


def done(request: Request, sr_id: int, then: str = "") -> Response:
    """Close the form of an open page, or return to the page."""
    if is_fragment(request):
        return Response(headers=CHANGED)
    return Response(status_code=303, headers={"location": then or f"/issues/{sr_id}"})


@router.get("/issues/{sr_id}/history")
def show_history(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number
) -> Response:
    """Show how title and description came to their present text."""
    edits = text_history.issue_history(board, visitor.person, sr_id)
    return render.page(request, "tracker/history.html", visitor=visitor, sr_id=sr_id, edits=edits)


def _act(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    sr_id: int,
    act: Callable[[], object],
) -> Response:
    """Run an act of a small form; a refusal is shown on a page of its own with the way back."""
    visibility.require_issue(board, visitor.person, sr_id)

    def refused(*, status: int, notice: str) -> Response:
        return render.page(
            request,
            "tracker/refused.html",
            status=status,
            visitor=visitor,
            sr_id=sr_id,
            notice=notice,
        )

    return actions.submit(request, act, on_success=f"/issues/{sr_id}", on_refusal=refused)


@router.post("/issues/{sr_id}/follow")
def follow(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    state: Annotated[Following, Form()] = "",
) -> Response:
    """Follow the issue, mute it, or do neither."""
    person = visitor.person
    return _act(
        request, board, visitor, sr_id, lambda: following.follow(board, person, sr_id, state)
    )


@router.post("/issues/{sr_id}/lock")
def lock(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    act: Annotated[Literal["lock", "unlock"], Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Lock the conversation, or open it again."""
    person = visitor.person

    def change() -> None:
        if act == "lock":
            locking.lock(board, person, sr_id, reason)
        else:
            locking.unlock(board, person, sr_id)

    return _act(request, board, visitor, sr_id, change)


@router.post("/issues/{sr_id}/close")
def close(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    how: Annotated[closing.Closing, Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Close the issue with a reason."""
    person = visitor.person
    return _act(
        request, board, visitor, sr_id, lambda: closing.close(board, person, sr_id, how, reason)
    )


@router.post("/issues/{sr_id}/children")
def add_child(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    title: Annotated[Title, Form()] = "",
    child: _Short = "",
) -> Response:
    """Open a sub-issue, or make an existing issue one."""
    person = visitor.person

    def add() -> None:
        if child.strip():
            given = FieldInput((str(sr_id),))
            panel.set_field(board, person, panel.number_of(child), "parent", given)
            return
        family.open_child(board, person, sr_id, title)

    return _act(request, board, visitor, sr_id, add)


@router.post("/issues/{sr_id}/children/{child}/move")
def move_child(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    child: Number,
    direction: Annotated[Literal["up", "down"], Form()],
) -> Response:
    """Move a sub-issue one place."""
    person = visitor.person
    return _act(
        request,
        board,
        visitor,
        sr_id,
        lambda: family.move_child(board, person, sr_id, child, direction),
    )
