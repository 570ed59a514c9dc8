"""Account page: profile and linked messenger accounts; for administrators those of all people."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.accounts import account_page, messenger_links
from guardia.board.core.context import BoardContext
from guardia.board.web import actions
from guardia.board.web.session import BoardDep, CurrentVisitor, Visitor, current_visitor
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(current_visitor)])

_PATH = account_page.PATH
_Text = Annotated[str, Form(max_length=128), TRIMMED]


@router.get(_PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the visitor's profile and linked accounts."""
    return account_page.render_page(request, board, visitor)


@router.post(f"{_PATH}/code")
def code(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show a one-time code for a room; only this response contains it."""
    return account_page.render_page(
        request, board, visitor, code=messenger_links.create_code(board, visitor.person)
    )


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
    """Link a messenger account to a person."""

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
    """Remove the link of a messenger account."""
    return _submit(
        request,
        board,
        visitor,
        lambda: messenger_links.unlink(board, visitor.person, channel, account),
    )


def _submit(
    request: Request, board: BoardContext, visitor: Visitor, act: Callable[[], None]
) -> Response:
    show_again = partial(account_page.render_page, request, board, visitor)
    return actions.submit(request, act, on_success=_PATH, on_refusal=show_again)
