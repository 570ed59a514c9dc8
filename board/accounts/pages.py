"""One's own account on the pages: who one is here, and one's messenger accounts; for
administrators everybody's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.accounts import messenger_links
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.session import BoardDep, CurrentVisitor, Visitor, current_visitor
from guardia.org.access import is_allowed
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

_PATH = "/account"
_Text = Annotated[str, Form(max_length=128), TRIMMED]


@router.get(_PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Who one is here and under which messenger accounts."""
    return _page(request, board, visitor)


@router.post(f"{_PATH}/code")
def code(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """A one-time code to be said in a room; it is shown on this answer alone."""
    return _page(request, board, visitor, code=messenger_links.create_code(board, visitor.person))


@router.post(f"{_PATH}/links")
def link(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    person: _Text = "",
    channel: _Text = "",
    account: _Text = "",
) -> Response:
    """Say whose a messenger account is."""

    def act() -> None:
        messenger_links.link(board, visitor.person, person, channel, account)

    return _submit(request, board, visitor, act)


@router.post(f"{_PATH}/links/end")
def unlink(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    channel: _Text = "",
    account: _Text = "",
) -> Response:
    """Forget whose it is."""
    return _submit(
        request,
        board,
        visitor,
        lambda: messenger_links.unlink(board, visitor.person, channel, account),
    )


def _submit(
    request: Request, board: BoardContext, visitor: Visitor, act: Callable[[], None]
) -> Response:
    again = partial(_page, request, board, visitor)
    return actions.submit(request, act, on_success=_PATH, on_refusal=again)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    code: str = "",
) -> Response:
    all_of_them = is_allowed(visitor.person, "account.link")
    return render.page(
        request,
        "accounts/account.html",
        status=status,
        visitor=visitor,
        own=messenger_links.list_links(board, visitor.person),
        everybody=messenger_links.list_links(board, visitor.person, everybody=True)
        if all_of_them
        else (),
        channels=messenger_links.CHANNELS,
        minutes=int(messenger_links.CODE_LIFETIME.total_seconds() // 60),
        notice=notice,
        code=code,
    )
