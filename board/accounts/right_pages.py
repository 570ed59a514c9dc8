"""Pages of rights: requests and their decisions, the history, the half-yearly review."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.accounts import people_view, reviews, right_decisions
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.rights import history
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, FOLDED, TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/rights"
_MOST = 2**63 - 1
_Number = Annotated[int, Path(ge=1, le=_MOST)]
_Cursor = Annotated[int | None, Query(ge=1, le=_MOST)]
_Note = Annotated[str, Form(max_length=1000), CLEANED]
_Verdict = Annotated[str, Form(max_length=20), TRIMMED]
_Word = Annotated[str, Query(max_length=100), FOLDED]


@router.get(PATH)
def show(
    request: Request, board: BoardDep, visitor: CurrentVisitor, before: _Cursor = None
) -> Response:
    """Show the requests that wait, and those that were decided."""
    return _page(request, board, visitor, before=before)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    before: int | None = None,
    number: int = 0,
    note: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    waiting, past, older = people_view.requests_page(board, visitor.person, before=before)
    return render.page(
        request,
        "accounts/rights.html",
        status=status,
        visitor=visitor,
        waiting=waiting,
        past=past,
        older=older,
        number=number,
        note=note,
        notice=notice,
        only_decider=people_view.is_only_decider(board, visitor.person),
        names=people_view.names(board, [r.request for r in (*waiting, *past)]),
    )


@router.get(f"{PATH}/history")
def show_history(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    person: _Word = "",
    before: _Cursor = None,
    after: _Cursor = None,
) -> Response:
    """Show the history of everyone's or one person's rights."""
    keys = Keyset(before=before, after=after, size=50)
    found = history.changes(board, visitor.person, keys, person.strip())
    return render.page(
        request,
        "accounts/right_history.html",
        visitor=visitor,
        found=found,
        searched=person,
        years=board.accounts.history_years,
        names=people_view.names(board, found.rows),
    )


@router.get(f"{PATH}/review")
def show_review(
    request: Request, board: BoardDep, visitor: CurrentVisitor, after: _Word = ""
) -> Response:
    """Show whose rights are to be reviewed in this period."""
    return _review_page(request, board, visitor, after=after)


@router.post(f"{PATH}/review")
def review(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    person: Annotated[str, Form(max_length=100), FOLDED] = "",
    verdict: _Verdict = "",
    note: _Note = "",
) -> Response:
    """Confirm or revoke one person's rights."""

    def act() -> None:
        confirm = verdict == "confirm"
        reviews.review(board, visitor.person, person, confirm=confirm, note=note.strip())

    return actions.submit(
        request,
        act,
        on_success=f"{PATH}/review",
        on_refusal=partial(_review_page, request, board, visitor),
    )


@router.post(f"{PATH}/{{number}}")
def decide(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: _Number,
    verdict: _Verdict = "",
    note: _Note = "",
) -> Response:
    """Allow, refuse or withdraw a request."""

    def act() -> None:
        if verdict == "withdraw":
            right_decisions.withdraw(board, visitor.person, number)
        else:
            right_decisions.decide(
                board, visitor.person, number, allow=verdict == "allow", note=note.strip()
            )

    show_again = partial(_page, request, board, visitor, number=number, note=note)
    return actions.submit(request, act, on_success=PATH, on_refusal=show_again)


def _review_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    after: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "accounts/right_review.html",
        status=status,
        visitor=visitor,
        found=reviews.open_reviews(board, visitor.person, after=after),
        notice=notice,
    )
