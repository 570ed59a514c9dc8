"""Pages for signing in and out, throttled against guessing."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.accounts import sign_in as account_sign_in
from guardia.board.web import render, session
from guardia.board.web.session import BoardDep
from guardia.errors import Throttled
from guardia.text import CLEANED, TRIMMED, CleanStr

router = APIRouter(include_in_schema=False)

# A check takes about 64 MiB and 0.1 s by design, so only few run concurrently.
_PASSWORD_CHECKS = threading.BoundedSemaphore(2)


@router.get("/login")
def form(request: Request, next: CleanStr = "/issues") -> Response:
    """Show the sign-in form."""
    session.begin_visit(request)
    return render.page(
        request, "accounts/login.html", next=session.safe_local_path(next), account="", fault=None
    )


@router.post("/login")
def sign_in(
    request: Request,
    board: BoardDep,
    account: Annotated[str, Form(max_length=64), TRIMMED] = "",
    password: Annotated[str, Form(max_length=256)] = "",
    next: Annotated[str, Form(max_length=500), CLEANED] = "/issues",
) -> Response:
    """Open a session, or show that id and password do not match."""
    target = session.safe_local_path(next)

    def show_again(fault: str, status: int) -> Response:
        return render.page(
            request, "accounts/login.html", status=status, next=target, account=account, fault=fault
        )

    try:
        with _PASSWORD_CHECKS:
            token = account_sign_in.sign_in(board, account, password, _source(request))
    except Throttled:
        return show_again("throttled", 429)
    if token is None:
        return show_again("wrong", 401)
    response = RedirectResponse(target, status_code=303)
    session.set_session_cookie(request, response, token)
    return response


def _source(request: Request) -> str:
    return request.client.host if request.client else "-"


@router.post("/logout")
def sign_out(request: Request, board: BoardDep, visitor: session.CurrentVisitor) -> Response:
    """End the session, in the browser and in the database."""
    account_sign_in.sign_out(board, visitor.token)
    response = RedirectResponse("/login", status_code=303)
    session.clear_session_cookie(response)
    return response
