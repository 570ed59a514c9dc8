"""The page of workers and the queue of jobs."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from guardia.board.runs import worker_view
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, require_visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])


@router.get("/workers")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the workers and what waits for them."""
    return render.page(
        request,
        "runs/workers.html",
        visitor=visitor,
        found=worker_view.read_queue(board, visitor.person),
    )
