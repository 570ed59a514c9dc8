"""The page of access tokens: one's own, and for those who manage them everyone's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.accounts import tokens
from guardia.board.core.context import BoardContext
from guardia.board.core.keyset import Keyset
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import PERMISSIONS, is_allowed
from guardia.org.tokens import SESSION_ONLY_ACTIONS
from guardia.text import FOLDED, TRIMMED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/tokens"
_MOST = 2**63 - 1
_Cursor = Annotated[int | None, Query(ge=1, le=_MOST)]


@dataclass(frozen=True, slots=True)
class Given:
    """The form of a new token, as it was sent."""

    name: str = ""
    rights: tuple[str, ...] = ()
    days: int = 90


_NOTHING = Given()


@router.get(PATH)
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    person: Annotated[str, Query(max_length=100), FOLDED] = "",
    before: _Cursor = None,
    after: _Cursor = None,
) -> Response:
    """Show one's own tokens, and a page of everyone's."""
    page = Keyset(before=before, after=after, size=50)
    return _page(request, board, visitor, person=person.strip(), page=page)


@router.post(PATH)
def create(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    name: Annotated[str, Form(max_length=80), TRIMMED] = "",
    rights: Annotated[list[CleanStr] | None, Form()] = None,
    days: Annotated[int, Form(ge=1, le=366)] = 90,
) -> Response:
    """Create a token, whose secret only this response shows."""
    secret = ""

    def act() -> None:
        nonlocal secret
        secret = tokens.create_token(board, visitor.person, name, rights or [], days)

    given = Given(name, tuple(rights or ()), days)
    again = partial(_page, request, board, visitor, given=given)
    answer = actions.submit(request, act, on_success=PATH, on_refusal=again)
    return answer if not secret else _page(request, board, visitor, secret=secret)


@router.post(f"{PATH}/revoke")
def revoke(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Annotated[int, Form(ge=1, le=_MOST)],
) -> Response:
    """Revoke a token, one's own or as a manager anyone's."""
    return actions.submit(
        request,
        lambda: tokens.revoke_any(board, visitor.person, number),
        on_success=PATH,
        on_refusal=partial(_page, request, board, visitor),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    person: str = "",
    page: Keyset | None = None,
    given: Given = _NOTHING,
    secret: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    viewer = visitor.person
    everybody = None
    if is_allowed(viewer, "token.manage"):
        everybody = tokens.all_tokens(board, viewer, page or Keyset(size=50), person)
    carried = [a for a in PERMISSIONS if is_allowed(viewer, a) and a not in SESSION_ONLY_ACTIONS]
    return render.page(
        request,
        "accounts/tokens.html",
        status=status,
        visitor=visitor,
        own=tokens.list_tokens(board, viewer),
        everybody=everybody,
        searched=person,
        carried=carried,
        given=given,
        secret=secret,
        notice=notice,
    )
