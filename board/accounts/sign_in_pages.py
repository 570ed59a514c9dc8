"""Pages for signing in and out, throttled against guessing."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from guardia.addresses import source_of
from guardia.board.accounts import ldap_directory
from guardia.board.accounts import sign_in as account_sign_in
from guardia.board.accounts.password_checks import PasswordChecks
from guardia.board.accounts.sign_in import Client, Directory
from guardia.board.web import render, session
from guardia.board.web.caller import BoardDep
from guardia.errors import SignInUnavailable, Throttled
from guardia.settings import Settings
from guardia.text import CLEANED, FOLDED, CleanStr

router = APIRouter(include_in_schema=False)

_CHECKS = PasswordChecks()


@router.get("/login")
def form(
    request: Request, board: BoardDep, next: CleanStr = "/", changed: bool = False
) -> Response:
    """Show the sign-in form; who comes with the cookie of an ended session learns that."""
    session.begin_visit(request)
    known = session.session_secret(request)
    ended = bool(known) and not changed and session.signed_in_person(board, known) is None
    return render_form(request, session.safe_local_path(next), changed=changed, ended=ended)


def render_form(
    request: Request,
    target: str,
    *,
    account: str = "",
    fault: str = "",
    changed: bool = False,
    ended: bool = False,
    status: int = 200,
) -> Response:
    """Render the sign-in form, with what was wrong if something was."""
    session.begin_visit(request)
    return render.page(
        request,
        "accounts/login.html",
        status=status,
        next=target,
        account=account,
        fault=fault,
        changed=changed,
        ended=ended,
        provider=request.app.state.openid is not None,
    )


@router.post("/login")
async def sign_in(
    request: Request,
    board: BoardDep,
    account: Annotated[str, Form(max_length=64), FOLDED] = "",
    password: Annotated[str, Form(max_length=256)] = "",
    next: Annotated[str, Form(max_length=500), CLEANED] = "/issues",
) -> Response:
    """Open a session, or show that id and password do not match."""
    target = session.safe_local_path(next)

    def show_again(fault: str, status: int) -> Response:
        return render_form(request, target, account=account, fault=fault, status=status)

    try:
        device = session.device_secret(request)
        attempt = await run_in_threadpool(
            account_sign_in.begin, board, account, _source(request), device
        )
        check = partial(
            account_sign_in.open_session,
            board,
            attempt,
            password,
            session.session_secret(request),
            Client(_source(request), request.headers.get("user-agent", "")),
            _directory(request),
        )
        found = await _CHECKS.run(check, known_device=bool(attempt.device))
    except Throttled:
        return show_again("throttled", 429)
    except SignInUnavailable:
        return show_again("directory", 503)
    if found is None:
        return show_again("wrong", 401)
    response = RedirectResponse(target, status_code=303)
    session.set_session_cookie(request, response, found.token)
    session.set_device_cookie(request, response, found.device)
    return response


def _directory(request: Request) -> Directory | None:
    settings: Settings = request.app.state.settings
    if not ldap_directory.is_configured(settings):
        return None
    return partial(ldap_directory.is_password, settings)


def _source(request: Request) -> str:
    return source_of(request.client.host) if request.client else "-"


@router.post("/logout")
def sign_out(request: Request, board: BoardDep, visitor: session.CurrentVisitor) -> Response:
    """End the session, in the browser and in the database."""
    account_sign_in.sign_out(board, visitor.token)
    response = RedirectResponse("/login", status_code=303)
    session.clear_session_cookie(response)
    return response


@router.post("/logout/everywhere")
def sign_out_everywhere(
    request: Request, board: BoardDep, visitor: session.CurrentVisitor
) -> Response:
    """End all sessions of the visitor, on every device."""
    account_sign_in.sign_out_everywhere(board, visitor.person)
    response = RedirectResponse("/login", status_code=303)
    session.clear_session_cookie(response)
    return response
