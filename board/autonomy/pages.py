"""The page of the report on observed plans."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from guardia.board.autonomy import view
from guardia.board.autonomy.policy import Comparison
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]


@router.get("/autonomy")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    days: Annotated[int, Query(ge=1, le=view.MAX_DAYS)] = view.DEFAULT_DAYS,
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show the counts of a period and one page of its plans."""
    query = view.AutonomyQuery(before=before, after=after, days=days)
    return render.page(
        request,
        "autonomy/autonomy.html",
        visitor=visitor,
        report=view.autonomy_report(board, query),
        query=query,
        comparisons=tuple(Comparison),
    )
