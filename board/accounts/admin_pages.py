"""The start page of administration: its groups, and what waits in them."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from guardia.board.accounts import people_view
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.org.access import is_allowed

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])


@router.get("/admin")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show what the visitor may administer, and how much waits."""
    reads = is_allowed(visitor.person, "person.read")
    return render.page(
        request,
        "accounts/admin.html",
        visitor=visitor,
        numbers=people_view.numbers(board) if reads else {},
    )
