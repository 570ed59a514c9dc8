"""Pages of single comments, the preview of a text, completion, and the list of labels."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.issues import changing, labels, own_comments, view
from guardia.board.tracker import suggestions, text_history
from guardia.board.tracker.panel_pages import done, show_form
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import UserError
from guardia.text import CLEANED, FOLDED, Body

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
LABELS = "/labels"


@router.get("/issues/{sr_id}/comments/{comment_id}/edit")
def show_editor(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, comment_id: Number
) -> Response:
    """Show the form of an own comment."""
    body = view.get_comment(board, visitor.person, sr_id, comment_id)
    return _editor(request, visitor, sr_id, comment_id, body, changing.text_token(body))


def _editor(
    request: Request,
    visitor: Visitor,
    sr_id: int,
    comment_id: int,
    body: str,
    seen: str,
    *,
    error: str = "",
    status: int = 200,
) -> Response:
    context = {"sr_id": sr_id, "comment_id": comment_id, "body": body, "seen": seen}
    return show_form(request, visitor, "comment", error=error, status=status, **context)


@router.post("/issues/{sr_id}/comments/{comment_id}")
def change_comment(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    comment_id: Number,
    act: Annotated[Literal["edit", "delete"], Form()] = "edit",
    body: Annotated[Body, Form()] = "",
    seen: Annotated[str, Form(max_length=64), CLEANED] = "",
) -> Response:
    """Edit or delete an own comment; a refused text is shown again as it was sent."""
    try:
        if act == "delete":
            own_comments.remove(board, visitor.person, sr_id, comment_id)
        else:
            own_comments.edit(board, visitor.person, sr_id, comment_id, body, seen)
    except UserError as error:
        status = errors.status_of(error)
        if status in (403, 404) or not errors.wants_page(request):
            raise
        with render.use_visitor_language(request):
            why = errors.message_of(error)
        return _editor(request, visitor, sr_id, comment_id, body, seen, error=why, status=status)
    place = f"comment-{comment_id}"
    return done(request, sr_id, f"/issues/{sr_id}?at={place}#{place}")


@router.get("/issues/{sr_id}/comments/{comment_id}/history")
def show_comment_history(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, comment_id: Number
) -> Response:
    """Show how a comment came to its present text."""
    edits = text_history.comment_history(board, visitor.person, sr_id, comment_id)
    return render.page(request, "tracker/history.html", visitor=visitor, sr_id=sr_id, edits=edits)


@router.post("/preview")
def preview(
    request: Request, visitor: CurrentVisitor, body: Annotated[Body, Form()] = ""
) -> Response:
    """Show a text as it will look: the same renderer draws what is stored."""
    return render.page(request, "tracker/preview.html", visitor=visitor, body=body)


@router.get("/issues/{sr_id}/suggest")
def suggest(
    board: BoardDep,
    visitor: CurrentVisitor,
    sr_id: Number,
    sign: Literal["@", "#"] = "@",
    q: Annotated[str, Query(max_length=40), FOLDED] = "",
) -> list[suggestions.TextSuggestion]:
    """Return what completes a name or a number."""
    if sign == "@":
        return suggestions.suggest_names(board, visitor.person, sr_id, q)
    return suggestions.suggest_issues(board, visitor.person, q)


@router.get(LABELS)
def show_labels(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show all labels; with the permission also the forms that change them."""
    return _labels(request, board, visitor)


def _labels(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    given: dict[str, str] | None = None,
) -> Response:
    return render.page(
        request,
        "tracker/labels.html",
        status=status,
        visitor=visitor,
        labels=labels.list_labels(board, visitor.person),
        palette=labels.PALETTE,
        notice=notice,
        given=given or {"label": "0", "name": "", "color": labels.PALETTE[5], "description": ""},
    )


@router.post(LABELS)
def change_labels(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    label: Annotated[int, Form(ge=0, le=2**63 - 1)] = 0,
    act: Annotated[Literal["save", "remove"], Form()] = "save",
    name: Annotated[str, Form(max_length=200), CLEANED] = "",
    color: Annotated[str, Form(max_length=20), CLEANED] = "",
    description: Annotated[str, Form(max_length=400), CLEANED] = "",
) -> Response:
    """Create (0), change or remove a label."""
    person = visitor.person

    def change() -> None:
        if act == "remove":
            labels.remove(board, person, label)
        elif label:
            labels.change(board, person, label, name, color, description)
        else:
            labels.create(board, person, name, color, description)

    given = {"label": str(label), "name": name, "color": color, "description": description}

    def refused(*, status: int, notice: str) -> Response:
        return _labels(request, board, visitor, status=status, notice=notice, given=given)

    return actions.submit(request, change, on_success=LABELS, on_refusal=refused)
