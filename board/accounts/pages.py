"""One's own account on the pages: who one is here, and one's messenger accounts; for
administrators everybody's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from guardia.board.accounts import messenger_links
from guardia.board.core.context import Desk
from guardia.board.web import errors, render
from guardia.board.web.session import AtDesk, Here, Visitor, visitor
from guardia.org.access import allowed

router = APIRouter(include_in_schema=False, dependencies=[Depends(visitor)])

_PATH = "/account"
_Word = Annotated[str, Form(max_length=128)]


@router.get(_PATH)
def show(request: Request, desk: AtDesk, here: Here) -> Response:
    """Who one is here and under which messenger accounts."""
    return _page(request, desk, here)


@router.post(f"{_PATH}/code")
def code(request: Request, desk: AtDesk, here: Here) -> Response:
    """A one-time code to be said in a room; it is shown on this answer alone."""
    return _page(request, desk, here, code=messenger_links.issue_code(desk, here.person))


@router.post(f"{_PATH}/links")
def link(
    request: Request,
    desk: AtDesk,
    here: Here,
    *,
    person: _Word = "",
    channel: _Word = "",
    account: _Word = "",
) -> Response:
    """Say whose a messenger account is."""

    def act() -> None:
        messenger_links.link(desk, here.person, person.strip(), channel, account)

    return _done(request, desk, here, act)


@router.post(f"{_PATH}/links/end")
def unlink(
    request: Request, desk: AtDesk, here: Here, *, channel: _Word = "", account: _Word = ""
) -> Response:
    """Forget whose it is."""
    return _done(
        request, desk, here, lambda: messenger_links.unlink(desk, here.person, channel, account)
    )


def _done(request: Request, desk: Desk, here: Visitor, act: Callable[[], None]) -> Response:
    return errors.attempt(request, act, _PATH, partial(_page, request, desk, here))


def _page(
    request: Request,
    desk: Desk,
    here: Visitor,
    *,
    status: int = 200,
    notice: str = "",
    code: str = "",
) -> Response:
    all_of_them = allowed(here.person, "account.link")
    return render.page(
        request,
        "accounts/account.html",
        status=status,
        visitor=here,
        own=messenger_links.links(desk, here.person),
        everybody=messenger_links.links(desk, here.person, everybody=True) if all_of_them else (),
        channels=messenger_links.CHANNELS,
        minutes=int(messenger_links.LIFETIME.total_seconds() // 60),
        notice=notice,
        code=code,
    )
