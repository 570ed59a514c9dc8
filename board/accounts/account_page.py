"""The account page: profile, messenger accounts and passkeys; for administrators all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

from guardia.board.accounts import messenger_links
from guardia.board.core.context import BoardContext
from guardia.board.passkeys import credentials
from guardia.board.passkeys.credentials import PasskeyInfo
from guardia.board.passkeys.relying_party import RelyingParty, relying_party
from guardia.board.web import errors, render
from guardia.board.web.session import Visitor
from guardia.errors import PasskeyUnavailable
from guardia.org import access
from guardia.org.access import is_allowed

PATH = "/account"
FRESH = timedelta(minutes=10)
"""Age of a sign-in up to which a passkey is registered without the password."""


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
    with board.database.reading() as session:
        signed_in_at = access.session_began(session, visitor.token)
    return signed_in_at is not None and board.clock() - signed_in_at < FRESH


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
        notice=notice,
        code=code,
    )
