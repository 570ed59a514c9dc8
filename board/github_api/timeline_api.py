"""Routes of an issue's events and timeline."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from guardia.board.github_api import timeline_view
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.issue_api import ISSUES, ONE
from guardia.board.github_api.requests import (
    AddressesDep,
    Identifier,
    IssueNumber,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import EventBody
from guardia.board.web.caller import BoardDep, Caller

router = APIRouter(prefix="/api/v3", tags=["timeline"], route_class=ConditionalRoute)


@router.get(f"{ONE}/timeline", summary="Events and comments of an issue")
def list_timeline(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    page: PageDep,
) -> list[EventBody]:
    """Return one page of what happened, oldest first.

    Events are those of GitHub where it has the like (`labeled`, `assigned`, `closed`), and the
    board's own otherwise (`planned`, `approved`). Customers get the progress without contents.
    """
    found = timeline_view.timeline(board, caller, addresses, repository, number)
    return _cut(request, response, page, found)


@router.get(f"{ONE}/events", summary="Events of an issue")
def list_events(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    page: PageDep,
) -> list[EventBody]:
    """Return one page of events, oldest first, without comments."""
    found = timeline_view.timeline(
        board, caller, addresses, repository, number, with_comments=False
    )
    return _cut(request, response, page, found)


def _cut(
    request: Request, response: Response, page: PageDep, found: list[EventBody]
) -> list[EventBody]:
    rows, total = page.cut(found), len(found)
    set_links(request, response, page, has_more=page.offset + len(rows) < total, total=total)
    return rows


@router.get(f"{ISSUES}/events/{{event_id}}", summary="One event")
def get_event(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    event_id: Identifier,
) -> EventBody:
    """Return an event by its number."""
    return timeline_view.get_event(board, caller, addresses, repository, event_id)
