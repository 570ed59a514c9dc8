"""The page of agents' runs."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from guardia.board.runs import view
from guardia.board.web import render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.text import FOLDED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Cursor = Annotated[int | None, Query(ge=0, le=2**63 - 1)]


@router.get("/runs")
def index(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    agent: Annotated[str, Query(max_length=40), FOLDED] = "",
    before: Cursor = None,
    after: Cursor = None,
) -> Response:
    """Show the list; only its rows for a live refresh."""
    query = view.RunQuery(agent=agent, before=before, after=after)
    return render.page(
        request,
        "runs/runs_live.html" if is_fragment(request) else "runs/runs.html",
        visitor=visitor,
        listing=view.list_runs(board, query),
        query=query,
        address=_address(query),
    )


def _address(query: view.RunQuery) -> str:
    words = {"agent": query.agent, "before": query.before, "after": query.after}
    return "/runs?" + urlencode({name: word for name, word in words.items() if word})
