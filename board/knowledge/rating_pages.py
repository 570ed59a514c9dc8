"""What people say of passages: the forms on documents and answers."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from guardia.board.knowledge import ratings
from guardia.board.knowledge.pages import Entered, Number, OpenRating, document_page
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.text import Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Ordinal = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/documents/{number}/passages/{ordinal}/rating")
def rate(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    ordinal: Ordinal,
    verdict: Annotated[Literal["helped", "wrong"], Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Say of a passage that it helped or is wrong; an open page replaces only the form."""
    act = partial(ratings.rate, board, visitor.person, number, ordinal, verdict, reason)
    if is_fragment(request):
        act()
        return render.page(request, "knowledge/rated.html", visitor=visitor)
    entered = Entered(rating=OpenRating(ordinal, text=reason))
    return actions.submit(
        request,
        act,
        on_success=f"/documents/{number}?start={max(1, ordinal - 2)}&rated={ordinal}#p{ordinal}",
        on_refusal=partial(document_page, request, board, visitor, number, entered=entered),
    )
