"""The part of an issue's page that shows related documents and similar past issues."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from guardia.board.search import related, related_view
from guardia.board.web import render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, require_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/issues/{sr_id}/related")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: _Number) -> Response:
    """Show what is related to an issue; an open page gets only the part."""
    related.want(board, visitor.person, sr_id)
    found = related_view.get_related(board, visitor.person, sr_id)
    name = "search/related_live.html" if is_fragment(request) else "search/related.html"
    return render.page(request, name, visitor=visitor, related=found)
