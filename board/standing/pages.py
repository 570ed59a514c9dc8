"""The page of standing approvals, with the forms that set limits, decide and revoke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.standing import decisions, ending, forms, view
from guardia.board.standing.policy import KST
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, TRIMMED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Hash = Annotated[str, Form(max_length=64), CLEANED]
_Short = Annotated[str, Form(max_length=20), TRIMMED]
_PAGE = 10


@router.get("/standing")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show one page of standing approvals, newest first."""
    return _page(request, board, visitor, Keyset(before, after, _PAGE))


def _given_limits(
    per_day: _Short = "", begins: _Short = "", ends: _Short = "", last_day: _Short = ""
) -> tuple[str, str, str, str]:
    """Return the limits as they were entered."""
    return per_day, begins, ends, last_day


@router.post("/standing/{number}/limits")
def limits(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    given: Annotated[tuple[str, str, str, str], Depends(_given_limits)],
    terms_hash: _Hash = "",
) -> Response:
    """Set the limits of a proposal."""

    def act() -> object:
        parsed = forms.parse_limits(*given)
        return decisions.set_limits(board, visitor.person, number, parsed, terms_hash)

    return _submit(request, board, visitor, act)


@router.post("/standing/{number}/decision")
def decide(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    verdict: Annotated[Literal["approve", "reject", "revoke"], Form()],
    terms_hash: _Hash = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Approve, reject or revoke."""

    def act() -> None:
        if verdict == "approve":
            decisions.approve(board, visitor.person, number, terms_hash)
        elif verdict == "reject":
            decisions.reject(board, visitor.person, number, terms_hash, reason)
        else:
            ending.revoke(board, visitor.person, number, reason)

    return _submit(request, board, visitor, act)


def _submit(
    request: Request, board: BoardContext, visitor: Visitor, act: Callable[[], object]
) -> Response:
    def show_again(*, status: int, notice: str) -> Response:
        first = Keyset(size=_PAGE)
        return _page(request, board, visitor, first, status=status, notice=notice)

    return actions.submit(request, act, on_success="/standing", on_refusal=show_again)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    page: Keyset,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    return render.page(
        request,
        "standing/standing.html",
        status=status,
        visitor=visitor,
        listing=view.list_standing(board, visitor.person, page),
        notice=notice,
        zone=KST,
    )
