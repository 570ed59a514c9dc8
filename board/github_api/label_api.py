"""Routes of labels: those of the site, and those of an issue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.github_api import issue_changes, views
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.bodies import (
    LabelChange,
    LabelList,
    LabelNames,
    NewLabel,
    names_of,
)
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.issue_api import ONE
from guardia.board.github_api.issue_bodies import label_body
from guardia.board.github_api.repositories import Repository
from guardia.board.github_api.requests import (
    AddressesDep,
    IssueNumber,
    Number,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import LabelBody
from guardia.board.issues import labels
from guardia.board.issues.labels import LabelView
from guardia.board.web.caller import BoardDep, Caller
from guardia.errors import NotFound
from guardia.org.directory import PersonInfo
from guardia.text import CLEANED, matching_form

_ALL = "/repos/{owner}/{repo}/labels"
_OF_ISSUE = f"{ONE}/labels"
router = APIRouter(prefix="/api/v3", tags=["labels"], route_class=ConditionalRoute)
# Clients encode the slash of `area/db`, and the server decodes it before routes are compared.
_Name = Annotated[str, Path(max_length=100), CLEANED]


@router.get(_ALL, summary="Labels of the site")
def list_labels(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    page: PageDep,
) -> list[LabelBody]:
    """Return one page of labels by name; every repository has the same ones."""
    found = labels.list_labels(board, caller)
    rows, total = page.cut(found), len(found)
    set_links(request, response, page, has_more=page.offset + len(rows) < total, total=total)
    return [label_body(addresses, repository, one) for one in rows]


@router.post(_ALL, summary="Create a label", status_code=201)
def create_label(
    *,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    body: NewLabel,
) -> LabelBody:
    """Create a label; 422 if the name is in use."""
    made = labels.create(board, caller, body.name, body.color, body.description or "")
    response.headers["location"] = addresses.label(repository, made.name)
    return label_body(addresses, repository, made)


@router.get(f"{_ALL}/{{name:path}}", summary="One label")
def get_label(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    name: _Name,
) -> LabelBody:
    """Return a label by name; case does not matter."""
    return label_body(addresses, repository, _find(board, caller, name))


@router.patch(f"{_ALL}/{{name:path}}", summary="Rename or recolor a label")
def change_label(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    name: _Name,
    body: LabelChange,
) -> LabelBody:
    """Change a label on every issue that has it."""
    found = _find(board, caller, name)
    wanted = body.new_name or body.name or found.name
    description = found.description if body.description is None else body.description
    labels.change(board, caller, found.label_id, wanted, body.color or found.color, description)
    return label_body(addresses, repository, _find(board, caller, wanted))


@router.delete(f"{_ALL}/{{name:path}}", summary="Remove a label", status_code=204)
def delete_label(board: BoardDep, caller: Caller, repository: RepositoryDep, name: _Name) -> None:
    """Remove a label from the site and from every issue."""
    labels.remove(board, caller, _find(board, caller, name).label_id)


def _find(board: BoardContext, caller: PersonInfo, name: str) -> LabelView:
    wanted = matching_form(name)
    known = labels.list_labels(board, caller)
    found = next((one for one in known if matching_form(one.name) == wanted), None)
    if found is None:
        raise NotFound(what=name)
    return found


# --- Labels of an issue -------------------------------------------------------------------------


@router.get(_OF_ISSUE, summary="Labels of an issue")
def list_issue_labels(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: Number,
    page: PageDep,
) -> list[LabelBody]:
    """Return the labels of an issue by name."""
    found = _of_issue(board, caller, addresses, repository, number)
    rows, total = page.cut(found), len(found)
    set_links(request, response, page, has_more=page.offset + len(rows) < total, total=total)
    return rows


@router.post(_OF_ISSUE, summary="Add labels to an issue")
def add_labels(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    body: LabelNames | LabelList,
) -> list[LabelBody]:
    """Add labels, given as a list or as `{"labels": [...]}`; return all of the issue."""
    issue_changes.add_labels(board, caller, number, _names(body))
    return _of_issue(board, caller, addresses, repository, number)


@router.put(_OF_ISSUE, summary="Replace the labels of an issue")
def set_labels(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    body: LabelNames | LabelList,
) -> list[LabelBody]:
    """Give an issue exactly these labels."""
    issue_changes.set_labels(board, caller, number, _names(body))
    return _of_issue(board, caller, addresses, repository, number)


@router.delete(_OF_ISSUE, summary="Remove all labels of an issue", status_code=204)
def remove_all_labels(
    board: BoardDep, caller: Caller, repository: RepositoryDep, number: IssueNumber
) -> None:
    """Remove all labels of an issue."""
    issue_changes.set_labels(board, caller, number, [])


@router.delete(f"{_OF_ISSUE}/{{name:path}}", summary="Remove a label of an issue")
def remove_label(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    name: _Name,
) -> list[LabelBody]:
    """Remove one label of an issue; return those that are left. 404 if it does not have it."""
    issue_changes.remove_label(board, caller, number, name)
    return _of_issue(board, caller, addresses, repository, number)


def _of_issue(
    board: BoardContext,
    caller: PersonInfo,
    addresses: Addresses,
    repository: Repository,
    number: int,
) -> list[LabelBody]:
    return views.get_issue(board, caller, addresses, repository, number).labels


def _names(body: LabelNames | LabelList) -> list[str]:
    return names_of(body.labels if isinstance(body, LabelList) else body)
