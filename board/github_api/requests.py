"""What every route of the dialect reads of a request: addresses, repository, page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

from guardia.board.github_api import issue_changes, repositories
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.paging import DEFAULT, PageRequest, links
from guardia.board.github_api.repositories import Repository
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CLEANED

MOST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=MOST, description="Number of the issue")]
Identifier = Annotated[int, Path(ge=1, le=MOST)]
_Name = Annotated[str, Path(max_length=100), CLEANED]


def addresses_of(request: Request) -> Addresses:
    """Return the addresses as the client that sent a request can follow them."""
    return Addresses(str(request.base_url).rstrip("/"))


def repository_of(board: BoardDep, caller: Caller, owner: _Name, repo: _Name) -> Repository:
    """Return the repository of a request. Raises `NotFound` if the caller may not see it."""
    return repositories.find(board, caller, owner, repo)


AddressesDep = Annotated[Addresses, Depends(addresses_of)]
RepositoryDep = Annotated[Repository, Depends(repository_of)]


def issue_number_of(
    board: BoardDep, caller: Caller, repository: RepositoryDep, number: Number
) -> int:
    """Return the number of the issue. Raises `NotFound` unless the caller may see it there."""
    issue_changes.require_in(board, caller, repository, number)
    return number


def page_of(
    page: Annotated[int, Query(ge=0, le=2**31, description="Number of the page, from 1")] = 1,
    per_page: Annotated[
        int, Query(ge=0, le=2**31, description="Rows a page, at most 100")
    ] = DEFAULT,
    after: Annotated[str, Query(max_length=64, description="Cursor, from `Link`"), CLEANED] = "",
) -> PageRequest:
    """Return the requested page."""
    return PageRequest.of(page, per_page, after)


IssueNumber = Annotated[int, Depends(issue_number_of)]
"""The number of an issue of the repository that the caller may see."""
PageDep = Annotated[PageRequest, Depends(page_of)]


def set_links(
    request: Request,
    response: Response,
    page: PageRequest,
    *,
    has_more: bool,
    total: int | None = None,
    cursor: str = "",
) -> None:
    """Set the `Link` header, which leads to the other pages."""
    address = f"{addresses_of(request).origin}{request.url.path}"
    query = request.query_params.multi_items()
    found = links(address, query, page, has_more=has_more, total=total, cursor=cursor)
    if found:
        response.headers["link"] = found
