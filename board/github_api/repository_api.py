"""Routes of repositories, users, the rate limit, and of what no repository has here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from guardia.board.github_api import issue_changes, paging, repositories, views
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.requests import (
    AddressesDep,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import (
    RateBody,
    RateLimitBody,
    RepositoryBody,
    User,
)
from guardia.board.web.caller import BoardDep, Caller
from guardia.errors import NotFound
from guardia.text import CLEANED

router = APIRouter(prefix="/api/v3", tags=["repositories"], route_class=ConditionalRoute)
Login = Annotated[str, Path(max_length=100), CLEANED]


@router.get("/user", summary="The caller")
def get_me(caller: Caller, addresses: AddressesDep) -> User:
    """Return the person whose token or session this is."""
    return views.me(caller, addresses)


@router.get("/users/{login}", summary="One person or agent")
def get_user(board: BoardDep, caller: Caller, addresses: AddressesDep, login: Login) -> User:
    """Return a person by account, or an agent as `name[bot]`; 404 for whom one may not know."""
    return views.get_user(board, caller, addresses, login)


@router.get("/rate_limit", summary="How many requests a token may still make this minute")
def get_rate_limit(request: Request) -> RateLimitBody:
    """Return the bound. Asking does not count."""
    rate = RateBody.model_validate(request.state.rate, from_attributes=True)
    return RateLimitBody(resources={"core": rate, "search": rate}, rate=rate)


@router.get("/user/repos", summary="Repositories that the caller may see")
@router.get(
    "/repositories", summary="Repositories that the caller may see", include_in_schema=False
)
def list_repositories(
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    page: PageDep,
) -> list[RepositoryBody]:
    """Return one page of repositories."""
    found = list(repositories.visible(board, caller))
    return _page(request, response, board, caller, addresses, page, found)


@router.get("/orgs/{owner}/repos", summary="Repositories of an institution")
def list_owner_repositories(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    page: PageDep,
    owner: Login,
) -> list[RepositoryBody]:
    """Return one page of the repositories of an institution."""
    found = views.owner_repositories(board, caller, owner)
    return _page(request, response, board, caller, addresses, page, found)


def _page(
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    page: paging.PageRequest,
    found: list[repositories.Repository],
) -> list[RepositoryBody]:
    rows, total = page.cut(found), len(found)
    has_more = page.offset + len(rows) < total
    set_links(request, response, page, has_more=has_more, total=total)
    return views.repository_bodies(board, caller, addresses, rows)


@router.get("/repos/{owner}/{repo}", summary="One repository")
def get_repository(
    board: BoardDep, caller: Caller, addresses: AddressesDep, repository: RepositoryDep
) -> RepositoryBody:
    """Return an institution (`MOF/all`), one of its servers, or `guardia/all` with every issue."""
    return views.repository_bodies(board, caller, addresses, [repository])[0]


@router.get("/repos/{owner}/{repo}/assignees", summary="People who can be assigned")
def list_assignees(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    page: PageDep,
) -> list[User]:
    """Return the people to whom issues can be assigned; staff only."""
    found = views.assignable(board, caller, addresses)
    rows = page.cut(found)
    has_more = page.offset + len(rows) < len(found)
    set_links(request, response, page, has_more=has_more, total=len(found))
    return rows


@router.get(
    "/repos/{owner}/{repo}/assignees/{login}",
    summary="Whether a person can be assigned",
    status_code=204,
)
def check_assignee(
    board: BoardDep, caller: Caller, repository: RepositoryDep, login: Login
) -> None:
    """Return 204 if issues can be assigned to a person, otherwise 404."""
    if caller.role == "customer" or not issue_changes.is_assignable(board, login):
        raise NotFound(what=login)


@router.get("/repos/{owner}/{repo}/pulls", summary="Pull requests: there are none")
@router.get("/repos/{owner}/{repo}/branches", summary="Branches: there are none")
@router.get("/repos/{owner}/{repo}/milestones", summary="Milestones: there are none")
def list_nothing(repository: RepositoryDep, page: PageDep) -> list[dict[str, Any]]:
    """Return an empty list, so that clients which ask go on."""
    return []
