"""Pages that sign in with an OpenID provider: leave for it, and come back."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from guardia.addresses import source_of
from guardia.board.accounts import provider_sign_in
from guardia.board.accounts.oidc import OpenIdClient, SignInRequest
from guardia.board.accounts.sign_in import Client
from guardia.board.accounts.sign_in_pages import render_form
from guardia.board.web import session
from guardia.board.web.caller import BoardDep
from guardia.errors import NotFound, SignInRefused, SignInUnavailable, UserError
from guardia.text import CleanStr

router = APIRouter(include_in_schema=False)

COOKIE = "guardia_oidc"
_PATH = "/login/oidc"
_SECONDS = 600


def _client(request: Request) -> OpenIdClient:
    found: OpenIdClient | None = request.app.state.openid
    if found is None:
        raise NotFound(what=_PATH)
    return found


@router.get(_PATH)
def leave(request: Request, next: CleanStr = "/") -> Response:
    """Send the browser to the provider."""
    try:
        sent = _client(request).begin()
    except (SignInUnavailable, SignInRefused):
        return render_form(request, next, fault="provider", status=503)
    kept = json.dumps([sent.state, sent.nonce, sent.verifier, session.safe_local_path(next)])
    response = RedirectResponse(sent.url, status_code=303)
    session.set_short_cookie(request, response, COOKIE, kept.encode().hex(), _SECONDS, _PATH)
    return response


@router.get(f"{_PATH}/callback")
def come_back(request: Request, board: BoardDep) -> Response:
    """Open a session for whom the provider has proved."""
    client = _client(request)
    sent, target = _kept(request)
    try:
        if sent is None:
            raise SignInRefused(why=COOKIE)
        person = client.finish(sent, dict(request.query_params))
        source = source_of(request.client.host) if request.client else "-"
        found = provider_sign_in.open_session(
            board,
            person,
            session.session_secret(request),
            Client(source, request.headers.get("user-agent", "")),
            session.device_secret(request),
        )
    except UserError:
        found = None
    except SignInUnavailable:
        return render_form(request, target, fault="provider", status=503)
    if found is None:
        response = render_form(request, target, fault="refused", status=401)
    else:
        response = RedirectResponse(target, status_code=303)
        session.set_session_cookie(request, response, found.token)
        session.set_device_cookie(request, response, found.device)
    response.delete_cookie(COOKIE, path=_PATH)
    return response


def _kept(request: Request) -> tuple[SignInRequest | None, str]:
    try:
        values = json.loads(bytes.fromhex(request.cookies.get(COOKIE, "")))
        state, nonce, verifier, target = (str(value) for value in values)
    except ValueError:
        return None, "/"
    return SignInRequest("", state, nonce, verifier), session.safe_local_path(target)
