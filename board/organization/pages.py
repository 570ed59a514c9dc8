"""Pages of the organization: agents with their current work, and every applied chart."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from guardia.board.core.keyset import Keyset
from guardia.board.organization import chart, view
from guardia.board.web import render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, require_visitor
from guardia.org.chart_diff import ChartChange

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_PAGE_SIZE = 20
_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/org")
def index(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Show the tree and the revisions; only the tree for a live refresh."""
    found = view.organization(board)
    history = chart.history(board, Keyset(before=before, size=_PAGE_SIZE))
    return render.page(
        request,
        "organization/org_live.html" if is_fragment(request) else "organization/org.html",
        visitor=visitor,
        org=found,
        history=history,
        authors=view.author_names(board, history.rows),
    )


@router.get("/org/revisions/{number}")
def revision(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: _Number
) -> Response:
    """Show one revision: its author, its changes and its text."""
    found = chart.revision(board, number)
    return render.page(
        request,
        "organization/org_revision.html",
        visitor=visitor,
        revision=found,
        authors=view.author_names(board, [found]),
        changes=_changes(chart.changes_in(board, number)),
        text=chart.chart_text(board, number),
    )


def _changes(found: list[ChartChange]) -> list[tuple[str, str]]:
    """Return kind and sentence of each change, in the reader's language."""
    return [(change.kind, str(change)) for change in found]
