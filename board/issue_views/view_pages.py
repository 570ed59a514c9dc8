"""Save, rename, order, delete views of the issue list, and choose the one it opens with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.issue_views import saved_views
from guardia.board.issue_views.columns import COLUMNS, chosen_columns
from guardia.board.issue_views.saved_views import NewView, SavedView
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, FOLDED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_MAX = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=_MAX)]
Name = Annotated[str, Form(max_length=200), CLEANED]
Words = Annotated[str, Form(max_length=4 * saved_views.MAX_WORDS), CLEANED]
Columns = Annotated[list[CleanStr] | None, Form(max_length=40)]


@router.get("/issues/views")
def list_views(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show all views of a person, each with its forms."""
    return _page(request, board, visitor)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
    form: int = 0,
    sent: SavedView | None = None,
) -> Response:
    views = saved_views.views_of(board, visitor.person)
    return render.page(
        request,
        "issue_views/view_list.html",
        status=status,
        visitor=visitor,
        views=[sent if sent and one.view_id == form else one for one in views],
        new=sent if sent and not form else None,
        teams=saved_views.teams_of(board, visitor.person),
        all_columns=COLUMNS,
        notice=notice,
        field=field,
        form=form,
    )


@router.post("/issues/views")
def save_view(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    name: Name = "",
    words: Words = "",
    col: Columns = None,
    team: Annotated[str, Form(max_length=80), FOLDED] = "",
) -> Response:
    """Save a filter with its columns as a view, and open it."""
    columns = chosen_columns(col or ())
    new = NewView(name, words, columns, team)
    sent = SavedView(0, name, words, columns, team)
    return actions.submit_fields(
        request,
        lambda: saved_views.save(board, visitor.person, new),
        on_success=lambda view_id: f"/issues?view={view_id}",
        on_refusal=_again(request, board, visitor, 0, sent),
    )


@router.post("/issues/views/{view_id}")
def change_view(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    view_id: Number,
    act: Annotated[Literal["save", "up", "down", "delete", "default", "no_default"], Form()],
    name: Annotated[str | None, Form(max_length=200), CLEANED] = None,
    words: Annotated[str | None, Form(max_length=4 * saved_views.MAX_WORDS), CLEANED] = None,
    col: Columns = None,
    back: Annotated[Literal["", "list"], Form()] = "",
) -> Response:
    """Rename, refilter, move or delete a view, or open the list with it."""
    person = visitor.person
    known = saved_views.get_view(board, person, view_id)
    acts: dict[str, Callable[[], None]] = {
        "save": lambda: saved_views.change(
            board, person, view_id, name=name, words=words, columns=col
        ),
        "up": lambda: saved_views.move(board, person, view_id, -1),
        "down": lambda: saved_views.move(board, person, view_id, 1),
        "delete": lambda: saved_views.remove(board, person, view_id),
        "default": lambda: saved_views.choose_default(board, person, view_id),
        "no_default": lambda: saved_views.choose_default(board, person, None),
    }
    sent = SavedView(
        view_id,
        known.name if name is None else name,
        known.words if words is None else words,
        known.columns if col is None else chosen_columns(col),
        known.team,
        known.is_default,
    )
    return actions.submit_fields(
        request,
        acts[act],
        on_success=f"/issues?view={view_id}" if back else "/issues/views",
        on_refusal=_again(request, board, visitor, view_id, sent),
    )


def _again(
    request: Request, board: BoardContext, visitor: Visitor, form: int, sent: SavedView
) -> actions.FieldRefusalPage:
    """Return what shows the refused form as it was sent."""

    def show(*, status: int, notice: str, field: str) -> Response:
        return _page(
            request,
            board,
            visitor,
            status=status,
            notice=notice,
            field=field,
            form=form,
            sent=sent,
        )

    return show
