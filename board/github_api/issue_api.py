"""Routes of issues: list, create, read, change, assign, lock."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from guardia.board.github_api import issue_changes, repositories, views
from guardia.board.github_api.bodies import (
    AssigneeList,
    IssueChangeBody,
    LockRequest,
    NewIssueBody,
)
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.issue_changes import IssueChange
from guardia.board.github_api.issue_query import IssueListFilter
from guardia.board.github_api.requests import (
    AddressesDep,
    IssueNumber,
    Number,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import IssueBody
from guardia.board.issues import locking
from guardia.board.web.caller import BoardDep, Caller
from guardia.i18n import t
from guardia.text import CLEANED

ISSUES = "/repos/{owner}/{repo}/issues"
ONE = ISSUES + "/{number}"
router = APIRouter(prefix="/api/v3", tags=["issues"], route_class=ConditionalRoute)
_Text = Annotated[str, Query(max_length=200), CLEANED]


def _filter(
    *,
    state: Literal["open", "closed", "all"] = "open",
    labels: _Text = "",
    assignee: _Text = "",
    creator: _Text = "",
    mentioned: _Text = "",
    milestone: _Text = "",
    since: AwareDatetime | datetime | None = None,
    sort: Literal["created", "updated", "comments"] = "created",
    direction: Literal["asc", "desc"] = "desc",
) -> IssueListFilter:
    """Return the filter and order of a list of issues."""
    return IssueListFilter(
        state=state,
        labels=tuple(name for part in labels.split(",") if (name := part.strip())),
        assignee=assignee,
        creator=creator,
        mentioned=mentioned,
        milestone=milestone,
        since=since,
        sort=sort,
        direction=direction,
    )


FilterDep = Annotated[IssueListFilter, Depends(_filter)]


@router.get(ISSUES, summary="Issues of a repository")
def list_issues(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    wanted: FilterDep,
    page: PageDep,
) -> list[IssueBody]:
    """Return one page of issues; `Link` leads to the others."""
    bodies, found = views.list_issues(board, caller, addresses, repository, wanted, page)
    cursor = found.cursor
    set_links(request, response, page, has_more=found.has_more, total=found.total, cursor=cursor)
    return bodies


@router.get("/issues", summary="Issues that are assigned to the caller")
def list_own_issues(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    wanted: FilterDep,
    page: PageDep,
    filter_: Annotated[
        Literal["assigned", "created", "mentioned", "subscribed", "repos", "all"],
        Query(alias="filter"),
    ] = "assigned",
) -> list[IssueBody]:
    """Return one page of the caller's issues; `filter` says what makes them theirs."""
    own = {"assigned": "assignee", "created": "creator", "mentioned": "mentioned"}.get(filter_)
    if own:
        fields = {name: getattr(wanted, name) for name in wanted.__slots__}
        wanted = IssueListFilter(**{**fields, own: "@me"})
    bodies, found = views.list_issues(
        board, caller, addresses, repositories.WHOLE, wanted, page, named=False
    )
    cursor = found.cursor
    set_links(request, response, page, has_more=found.has_more, total=found.total, cursor=cursor)
    return bodies


@router.post(ISSUES, summary="Open an issue", status_code=201)
def create_issue(
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    body: NewIssueBody,
) -> IssueBody:
    """Open an issue as the caller's request; agents begin with it at once."""
    wanted = IssueChange(body.title, body.body, labels=body.label_names, assignees=body.logins)
    number = issue_changes.create(board, caller, repository, wanted)
    response.headers["location"] = addresses.issue(repository, number)
    # A request for a server is in its repository from the beginning, one for none in its own.
    return views.get_issue(board, caller, addresses, repository, number)


@router.get(ONE, summary="One issue")
def get_issue(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: Number,
) -> IssueBody:
    """Return an issue; 404 for one that the caller may not see."""
    return views.get_issue(board, caller, addresses, repository, number)


@router.patch(ONE, summary="Change an issue")
def change_issue(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    body: IssueChangeBody,
) -> IssueBody:
    """Change an issue.

    `closed` aborts its open tasks (`not_planned`) or completes them as done by the caller
    (`completed`; 409 while an agent is changing a server); `open` has an ended one start over.
    """
    wanted = IssueChange(
        title=body.title,
        body=(body.body or "") if "body" in body.model_fields_set else None,
        state=body.state,
        state_reason=body.state_reason,
        labels=body.label_names,
        assignees=body.logins,
    )
    issue_changes.change(board, caller, number, wanted)
    return views.get_issue(board, caller, addresses, repository, number)


@router.post(f"{ONE}/assignees", summary="Assign an issue", status_code=201)
def add_assignees(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    body: AssigneeList,
) -> IssueBody:
    """Assign an issue to a person, who replaces the one who had it."""
    if body.assignees:
        issue_changes.set_assignees(board, caller, number, body.assignees)
    return views.get_issue(board, caller, addresses, repository, number)


@router.delete(f"{ONE}/assignees", summary="Take an issue from its assignee")
def remove_assignees(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: Number,
    body: AssigneeList,
) -> IssueBody:
    """Take an issue from a person; it waits in the queue of unassigned issues again."""
    found = views.get_issue(board, caller, addresses, repository, number)
    named = {login.lower() for login in body.assignees}
    if found.assignee is not None and found.assignee.login.lower() in named:
        issue_changes.set_assignees(board, caller, number, [])
    return views.get_issue(board, caller, addresses, repository, number)


@router.put(f"{ONE}/lock", summary="Lock a conversation", status_code=204)
def lock_issue(
    board: BoardDep,
    caller: Caller,
    number: IssueNumber,
    body: LockRequest | None = None,
) -> None:
    """Lock the conversation of an issue."""
    reason = body.lock_reason if body else None
    locking.lock(board, caller, number, reason or t("github.locked"))


@router.delete(f"{ONE}/lock", summary="Unlock a conversation", status_code=204)
def unlock_issue(
    board: BoardDep, caller: Caller, repository: RepositoryDep, number: IssueNumber
) -> None:
    """Unlock the conversation of an issue."""
    locking.unlock(board, caller, number)
