"""The route that searches for issues."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from guardia.board.github_api import search_view
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.requests import AddressesDep, PageDep, set_links
from guardia.board.github_api.shapes import SearchResult
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CLEANED

router = APIRouter(prefix="/api/v3", tags=["search"], route_class=ConditionalRoute)


@router.get("/search/issues", summary="Search for issues")
def search_issues(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    page: PageDep,
    q: Annotated[str, Query(min_length=1, max_length=500), CLEANED],
    sort: Literal["", "created", "updated", "comments", "best-match"] = "",
    order: Literal["asc", "desc"] = "desc",
) -> SearchResult:
    """Find issues by words and qualifiers, among the first 1,000 results.

    GitHub's `repo:`, `org:`, `is:`, `state:`, `label:`, `no:`, `author:`, `assignee:`, `mentions:`,
    `commenter:`, `involves:`, `created:`, `updated:`, `closed:`, `comments:`, `reason:`, `sort:`
    and the board's own, such as `server:`, `status:` and `priority:`; `-` negates.
    """
    field = "" if sort == "best-match" else sort
    found = search_view.search_issues(board, caller, addresses, q, page, sort=field, order=order)
    total = min(found.total_count, search_view.MOST)
    has_more = page.offset + len(found.items) < total
    set_links(request, response, page, has_more=has_more, total=total)
    return found
