"""Pages of the dashboard: all cards, one card with its rows, and its rows as files."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from guardia.board.audit import log
from guardia.board.core.context import BoardContext
from guardia.board.dashboard import exports, failure_view
from guardia.board.dashboard.cards import PERIODS, CardContent, CardFilters, CardTable
from guardia.board.dashboard.filter_pages import Filters, offered
from guardia.board.dashboard.registry import allowed_cards, find_card, read_card
from guardia.board.web import render
from guardia.board.web.caller import BoardDep, is_fragment
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.i18n import t
from guardia.text import FOLDED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

_Name = Annotated[str, Path(max_length=40), FOLDED]
_Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@router.get("/dashboard")
def show_all(
    request: Request, board: BoardDep, visitor: CurrentVisitor, filters: Filters
) -> Response:
    """Show every card that the visitor may see; only its parts for a live refresh."""
    cards = [
        read_card(board, visitor.person, card, filters) for card in allowed_cards(visitor.person)
    ]
    return _page(request, board, visitor, cards, filters, "/dashboard")


@router.get("/dashboard/{name}")
def show_one(
    request: Request, board: BoardDep, visitor: CurrentVisitor, filters: Filters, name: _Name
) -> Response:
    """Show one card with its rows."""
    card = find_card(visitor.person, name)
    found = read_card(board, visitor.person, card, filters)
    with render.use_visitor_language(request):
        table = card.table(found.data, filters)
    return _page(request, board, visitor, [found], filters, f"/dashboard/{name}", table)


@router.get("/dashboard/{name}/export")
def export(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    filters: Filters,
    name: _Name,
    form: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
) -> Response:
    """Return the rows of a card as a file."""
    card = find_card(visitor.person, name)
    with render.use_visitor_language(request):
        found = card.table(card.read(board, visitor.person, filters), filters)
        title = t(f"dashboard.{name}.title")
    content: str | bytes
    content = exports.as_csv(found) if form == "csv" else exports.as_workbook(title, found)
    day = filters.today(board.clock())
    shown = quote(f"{title} {day}.{form}")
    disposition = f"attachment; filename=\"{name}-{day}.{form}\"; filename*=UTF-8''{shown}"
    return Response(content, media_type=_TYPES[form], headers={"Content-Disposition": disposition})


@router.get("/issues/{sr_id}/tasks/{task_id}/failure")
def show_failure(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: _Number, task_id: _Number
) -> Response:
    """Show the command of a task that failed last, with its output."""
    found = failure_view.last_failure(board, visitor.person, sr_id, task_id)
    return render.page(request, "dashboard/failure.html", visitor=visitor, failure=found)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    cards: list[CardContent],
    filters: CardFilters,
    path: str,
    table: CardTable | None = None,
) -> Response:
    with board.database.reading() as session:
        position = log.snapshot_size(session)
    return render.page(
        request,
        "dashboard/dashboard_live.html" if is_fragment(request) else "dashboard/dashboard.html",
        visitor=visitor,
        cards=cards,
        filters=filters,
        path=path,
        table=table,
        periods=PERIODS,
        institutions=offered(board, visitor.person),
        position=position,
        now=board.clock(),
    )
