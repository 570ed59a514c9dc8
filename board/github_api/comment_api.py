"""Routes of comments and reactions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.github_api import views
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.bodies import CommentText, NewReaction
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.issue_api import ISSUES, ONE
from guardia.board.github_api.paging import PageRequest
from guardia.board.github_api.people import users_of
from guardia.board.github_api.reaction_bodies import reaction_body
from guardia.board.github_api.requests import (
    AddressesDep,
    Identifier,
    IssueNumber,
    PageDep,
    RepositoryDep,
    set_links,
)
from guardia.board.github_api.shapes import CommentBody, ReactionBody
from guardia.board.issues import comments, own_comments, reactions
from guardia.board.issues.reactions import ReactionView
from guardia.board.web.caller import BoardDep, Caller
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

router = APIRouter(prefix="/api/v3", tags=["comments"], route_class=ConditionalRoute)
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": ReactionBody, "description": "The caller has reacted so before"}
}
_COMMENT = ISSUES + "/comments/{comment_id}"


@router.get(f"{ONE}/comments", summary="Comments of an issue")
def list_comments(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    page: PageDep,
) -> list[CommentBody]:
    """Return one page of comments, oldest first; customers read what people wrote."""
    found, total = views.list_comments(board, caller, addresses, repository, number, page)
    has_more = page.offset + len(found) < total
    set_links(request, response, page, has_more=has_more, total=total)
    return found


@router.post(f"{ONE}/comments", summary="Comment on an issue", status_code=201)
def create_comment(
    *,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    number: IssueNumber,
    body: CommentText,
) -> CommentBody:
    """Add a comment; it wakes the agents and notifies the people that it mentions."""
    require_permission(caller, "issue.comment")
    comment_id = comments.add_comment(board, number, Actor.of(caller), body.body)
    response.headers["location"] = addresses.comment(repository, comment_id)
    return views.get_comment(board, caller, addresses, repository, comment_id)[0]


@router.get(_COMMENT, summary="One comment")
def get_comment(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
) -> CommentBody:
    """Return a comment; 404 for one that the caller may not see."""
    return views.get_comment(board, caller, addresses, repository, comment_id)[0]


@router.patch(_COMMENT, summary="Edit an own comment")
def edit_comment(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
    body: CommentText,
) -> CommentBody:
    """Replace the text of an own comment; what it said before is kept."""
    number = views.get_comment(board, caller, addresses, repository, comment_id)[1]
    own_comments.edit(board, caller, number, comment_id, body.body)
    return views.get_comment(board, caller, addresses, repository, comment_id)[0]


@router.delete(_COMMENT, summary="Delete an own comment", status_code=204)
def delete_comment(
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
) -> None:
    """Delete an own comment."""
    number = views.get_comment(board, caller, addresses, repository, comment_id)[1]
    own_comments.remove(board, caller, number, comment_id)


# --- Reactions ----------------------------------------------------------------------------------


@router.get(f"{ONE}/reactions", summary="Reactions to an issue")
def list_issue_reactions(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    number: IssueNumber,
    page: PageDep,
) -> list[ReactionBody]:
    """Return one page of reactions, oldest first."""
    found = reactions.list_reactions(board, caller, number)
    return _page(request, response, board, addresses, page, found)


@router.post(f"{ONE}/reactions", summary="React to an issue", status_code=201, responses=_AGAIN)
def react_to_issue(
    *,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    number: IssueNumber,
    body: NewReaction,
) -> ReactionBody:
    """React to an issue; 200 if the caller has reacted so before."""
    return _react(response, board, caller, addresses, number, body.content)


@router.delete(
    f"{ONE}/reactions/{{reaction_id}}", summary="Remove an own reaction", status_code=204
)
def remove_issue_reaction(
    board: BoardDep,
    caller: Caller,
    number: IssueNumber,
    reaction_id: Identifier,
) -> None:
    """Remove an own reaction to an issue."""
    reactions.remove(board, caller, number, reaction_id)


@router.get(f"{_COMMENT}/reactions", summary="Reactions to a comment")
def list_comment_reactions(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
    page: PageDep,
) -> list[ReactionBody]:
    """Return one page of reactions, oldest first."""
    number = views.get_comment(board, caller, addresses, repository, comment_id)[1]
    found = reactions.list_reactions(board, caller, number, comment_id)
    return _page(request, response, board, addresses, page, found)


@router.post(
    f"{_COMMENT}/reactions", summary="React to a comment", status_code=201, responses=_AGAIN
)
def react_to_comment(
    *,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
    body: NewReaction,
) -> ReactionBody:
    """React to a comment; 200 if the caller has reacted so before."""
    number = views.get_comment(board, caller, addresses, repository, comment_id)[1]
    return _react(response, board, caller, addresses, number, body.content, comment_id)


@router.delete(
    f"{_COMMENT}/reactions/{{reaction_id}}", summary="Remove an own reaction", status_code=204
)
def remove_comment_reaction(
    *,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    repository: RepositoryDep,
    comment_id: Identifier,
    reaction_id: Identifier,
) -> None:
    """Remove an own reaction to a comment."""
    number = views.get_comment(board, caller, addresses, repository, comment_id)[1]
    reactions.remove(board, caller, number, reaction_id, comment_id)


def _react(
    response: Response,
    board: BoardContext,
    caller: PersonInfo,
    addresses: Addresses,
    number: int,
    content: str,
    comment_id: int | None = None,
) -> ReactionBody:
    made, is_new = reactions.react(board, caller, number, content, comment_id)
    if not is_new:
        response.status_code = 200
    return _bodies(board, addresses, [made])[0]


def _page(
    request: Request,
    response: Response,
    board: BoardContext,
    addresses: Addresses,
    page: PageRequest,
    found: list[ReactionView],
) -> list[ReactionBody]:
    rows, total = page.cut(found), len(found)
    set_links(request, response, page, has_more=page.offset + len(rows) < total, total=total)
    return _bodies(board, addresses, rows)


def _bodies(
    board: BoardContext, addresses: Addresses, found: list[ReactionView]
) -> list[ReactionBody]:
    with board.database.reading() as session:
        users = users_of(session, addresses, [str(Actor.person(r.person_id)) for r in found])
    return [reaction_body(users, one) for one in found]
