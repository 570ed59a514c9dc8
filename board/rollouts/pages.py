"""Pages of rollouts: the list, one rollout with its live progress, and its forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.rollouts import drafts, forms, progress, view
from guardia.board.rollouts.policy import Options
from guardia.board.web import actions, render
from guardia.board.web.session import BoardDep, CurrentVisitor, Visitor, current_visitor
from guardia.text import TRIMMED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Short = Annotated[str, Form(max_length=200), TRIMMED]
_PAGE = 20


@router.get("/rollouts")
def index(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of rollouts, newest first."""
    listing = view.list_rollouts(board, visitor.person, Keyset(before, after, _PAGE))
    return render.page(request, "rollouts/rollouts.html", visitor=visitor, listing=listing)


@router.get("/rollouts/{number}")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Show a rollout."""
    return _page(request, board, visitor, number)


@router.get("/rollouts/{number}/live")
def live(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Return the parts of a rollout that change while it runs."""
    return render.page(
        request,
        "rollouts/rollout_live.html",
        visitor=visitor,
        one=view.get_rollout(board, visitor.person, number),
    )


def _given_options(
    tiers: _Short = "",
    batch: _Short = "",
    on_failure: _Short = "",
    on_interruption: _Short = "",
    canary: _Short = "",
    pause_after_canary: _Short = "",
) -> Callable[[], Options]:
    """Return a function that parses the options as they were entered."""
    return lambda: forms.parse_options(
        tiers,
        batch,
        on_failure,
        on_interruption,
        canary=bool(canary),
        pause_after_canary=bool(pause_after_canary),
    )


@router.post("/rollouts/{number}/options")
def options(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    given: Annotated[Callable[[], Options], Depends(_given_options)],
) -> Response:
    """Change the order and the rules of a draft."""
    return _submit(
        request,
        board,
        visitor,
        number,
        lambda: drafts.reorder(board, visitor.person, number, given()),
    )


@router.post("/rollouts/{number}/submit")
def submit(request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number) -> Response:
    """Request the approval of a draft."""
    return _submit(
        request, board, visitor, number, lambda: drafts.submit(board, visitor.person, number)
    )


@router.post("/rollouts/{number}/order")
def order(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    verb: Annotated[Literal["pause", "resume", "back", "cancel"], Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Pause, continue, roll back or cancel a rollout."""
    person = visitor.person
    acts: dict[str, Callable[[], object]] = {
        "pause": lambda: progress.pause(board, person, number, reason),
        "resume": lambda: progress.resume(board, person, number),
        "back": lambda: progress.roll_back(board, person, number, reason),
        "cancel": lambda: drafts.cancel(board, person, number, reason),
    }
    return _submit(request, board, visitor, number, acts[verb])


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    act: Callable[[], object],
) -> Response:
    def show_again(*, status: int, notice: str) -> Response:
        return _page(request, board, visitor, number, status=status, notice=notice)

    return actions.submit(request, act, on_success=f"/rollouts/{number}", on_refusal=show_again)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    one = view.get_rollout(board, visitor.person, number)
    store = BlobStore.of(request.app.state.settings)
    return render.page(
        request,
        "rollouts/rollout.html",
        status=status,
        visitor=visitor,
        one=one,
        files=view.files_of(board, store, one),
        notice=notice,
    )
