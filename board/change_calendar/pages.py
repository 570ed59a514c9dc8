"""Pages of the change calendar, and its feed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.change_calendar import feed, view
from guardia.board.core.context import BoardContext
from guardia.board.web import render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED, FOLDED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])
feed_router = APIRouter(include_in_schema=False)

_Word = Annotated[str, Query(max_length=100), FOLDED]
_PAGE = "/changes"


@router.get("/changes")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    shape: Annotated[str, Query(alias="view", max_length=20), FOLDED] = "month",
    day: _Word = "",
    institution: _Word = "",
    server: _Word = "",
) -> Response:
    """Show a month, a week or a list of planned changes."""
    return _page(request, board, visitor, shape, day, institution, server)


@router.post("/changes/feed")
def change_feed(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    act: Annotated[str, Form(max_length=10)] = "create",
) -> Response:
    """Make a new address of the feed and show it once, or end the feed."""
    if act == "end":
        feed.end_feed(board, visitor.person)
        return RedirectResponse(_PAGE, status_code=303)
    token = feed.new_address(board, visitor.person)
    address = f"{str(request.base_url).rstrip('/')}/changes/feed/{token}.ics"
    return _page(request, board, visitor, "month", "", "", "", address=address)


@feed_router.get("/changes/feed/{token}.ics")
def read_feed(
    request: Request, board: BoardDep, token: Annotated[str, Path(max_length=100), CLEANED]
) -> Response:
    """Return the calendar for programs; the token is the only proof."""
    found = feed.read_feed(board, token, str(request.base_url).rstrip("/"))
    headers = {"cache-control": "private, max-age=300"}
    return Response(found, media_type="text/calendar; charset=utf-8", headers=headers)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    shape: str,
    day: str,
    institution: str,
    server: str,
    *,
    address: str = "",
) -> Response:
    return render.page(
        request,
        "change_calendar/changes.html",
        visitor=visitor,
        found=view.read_page(board, visitor.person, shape, day, institution, server),
        shapes=view.SHAPES,
        has_feed=feed.has_feed(board, visitor.person),
        address=address,
    )
