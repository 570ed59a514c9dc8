"""Account page: profile, messenger accounts and passkeys; for administrators those of everyone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.accounts import messenger_links, sessions
from guardia.board.core.context import BoardContext
from guardia.board.passkeys import credentials
from guardia.board.passkeys.credentials import PasskeyInfo
from guardia.board.passkeys.relying_party import RelyingParty, relying_party
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import PasskeyUnavailable
from guardia.org.access import is_allowed
from guardia.text import TRIMMED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/account"
FRESH = timedelta(minutes=10)
"""Age of a sign-in up to which a passkey is registered without the password."""
_Text = Annotated[str, Form(max_length=128), TRIMMED]


@router.get(PATH)
def show(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the visitor's profile and linked accounts."""
    return render_page(request, board, visitor)


@router.post(f"{PATH}/code")
def code(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show a one-time code for a room; only this response contains it."""
    return render_page(
        request, board, visitor, code=messenger_links.create_code(board, visitor.person)
    )


@router.post(f"{PATH}/links")
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


@router.post(f"{PATH}/links/end")
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
    show_again = partial(render_page, request, board, visitor)
    return actions.submit(request, act, on_success=PATH, on_refusal=show_again)


@dataclass(frozen=True, slots=True)
class PasskeySection:
    """What the page shows about passkeys."""

    own: list[PasskeyInfo]
    everybody: list[PasskeyInfo]
    rp: RelyingParty | None
    unavailable: str
    """Why no passkey can be registered now; empty if one can."""
    needs_password: bool
    minutes: int = int(FRESH.total_seconds() // 60)


def is_fresh(board: BoardContext, visitor: Visitor) -> bool:
    """Return whether the visitor signed in so recently that no password is needed."""
    return visitor.session is not None and board.clock() - visitor.session.created_at < FRESH


def _passkeys(request: Request, board: BoardContext, visitor: Visitor) -> PasskeySection:
    rp, unavailable = None, ""
    try:
        with render.use_visitor_language(request):
            rp = relying_party(request.app.state.settings)
    except PasskeyUnavailable as error:
        unavailable = errors.message_of(error)
    may_remove_all = is_allowed(visitor.person, "passkey.remove")
    return PasskeySection(
        own=credentials.list_passkeys(board, visitor.person),
        everybody=credentials.list_passkeys(board, visitor.person, everybody=True)
        if may_remove_all
        else [],
        rp=rp,
        unavailable=unavailable,
        needs_password=not is_fresh(board, visitor),
    )


def render_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    code: str = "",
) -> Response:
    """Render the account page, with a refusal or a new one-time code if there is one."""
    may_link_all = is_allowed(visitor.person, "account.link")
    return render.page(
        request,
        "accounts/account.html",
        status=status,
        visitor=visitor,
        own=messenger_links.list_links(board, visitor.person),
        everybody=messenger_links.list_links(board, visitor.person, everybody=True)
        if may_link_all
        else (),
        channels=messenger_links.CHANNELS,
        minutes=int(messenger_links.CODE_LIFETIME.total_seconds() // 60),
        passkeys=_passkeys(request, board, visitor),
        sessions=sessions.list_sessions(
            board, visitor.person, current=visitor.session.number if visitor.session else 0
        ),
        sign_ins=sessions.sign_ins(board, visitor.person),
        notice=notice,
        code=code,
    )
