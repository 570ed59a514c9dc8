"""Session cookie, language and CSRF token of a request.

Every form carries a token that only pages of the same session know (CSRF). It is derived from the
session's secret cookie, so nothing needs to be stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from guardia.board.core.context import BoardContext
from guardia.board.core.session_use import note_use
from guardia.board.web import caller
from guardia.board.web.caller import board_of, is_fragment
from guardia.board.web.recent_visitors import RecentVisitors
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import UserError
from guardia.i18n import DEFAULT_LANGUAGE, LANGUAGES
from guardia.org import access, known_devices, tokens
from guardia.org.access import SessionInfo
from guardia.org.account_policy import ADMINISTRATION
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

SESSION_COOKIE = "guardia_session"
VISIT_COOKIE = "guardia_visit"
"""Cookie of a visitor who has not signed in yet; the sign-in form is bound to it."""
DEVICE_COOKIE = "guardia_device"
"""Cookie of a device on which a person has signed in: see `org.known_devices`."""
LANGUAGE_COOKIE = "guardia_lang"
THEME_COOKIE = "guardia_theme"
THEMES = ("auto", "light", "dark")
"""How pages look: as the reader's device, or always light or dark."""
TOKEN_FIELD = "csrf"
TOKEN_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_LANGUAGES = 200
_STOPPING = frozenset({("POST", "/kill"), ("PUT", "/api/v3/kill-switch")})
TIME_LEFT = "/session"
"""Address at which an open page asks how long its session lasts; that is no action."""
_TOUCHED_EACH = timedelta(minutes=1)
_YEAR = 365 * 24 * 3600


class SignInNeeded(UserError):
    """The request has no valid session."""


class NotOurForm(UserError):
    """A request that changes something did not come from a page of this session."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in."""

    person: PersonInfo
    token: str
    """The session's secret; never shown."""
    session: SessionInfo | None = None
    """The session; `None` for an access token, or while the database is away."""


def signed_in_person(board: BoardContext, token: str) -> PersonInfo | None:
    """Return the person of a session or access token, or `None` if it is not valid now."""
    found = _look_up(board, token)
    return found.person if found else None


def _look_up(board: BoardContext, token: str) -> Visitor | None:
    now = board.current_time()
    with board.database.reading() as session:
        if token.startswith(tokens.TOKEN_PREFIX):
            person = tokens.person_of_token(session, token, now)
            return Visitor(person, token) if person else None
        found = access.find_session(session, token, now, board.accounts)
        return Visitor(found.person, token, found) if found else None


def current_visitor(request: Request) -> Visitor:
    """Return the person who is signed in. Raises `SignInNeeded` if none is.

    Looked up once per request. From an address that is not for administration the person has only
    the other permissions.
    """
    known: Visitor | None = getattr(request.state, "visitor", None)
    if known is not None:
        return known
    token = caller.bearer_token(request)
    if token is None:
        token = request.cookies.get(SESSION_COOKIE, "")
    found = _find_visitor(request, token) if token else None
    if found is None:
        raise SignInNeeded()
    found = replace(found, person=_limited_to_address(request, found.person))
    request.state.visitor = found
    return found


def _find_visitor(request: Request, token: str) -> Visitor | None:
    recent: RecentVisitors = request.app.state.recent_visitors
    board = board_of(request)
    try:
        found = _look_up(board, token)
        if found is not None and found.session is not None and _is_activity(request):
            found = replace(found, session=_touch(board, found.session, token))
    except OUTAGE_ERRORS:
        known = recent.find(token) if (request.method, request.url.path) in _STOPPING else None
        if known is None:
            raise
        return Visitor(known, token)
    if found is not None:
        recent.remember(token, found.person)
    return found


def _is_activity(request: Request) -> bool:
    """Return whether a person does something: live parts and streams refresh on their own."""
    if request.method not in _SAFE:
        return True
    if request.url.path == TIME_LEFT:
        return False
    streams = "text/event-stream" in request.headers.get("accept", "")
    return not streams and not is_fragment(request)


def _touch(board: BoardContext, found: SessionInfo, token: str) -> SessionInfo:
    """Begin the idle time again, with a write only once in a part of it."""
    idle, now = board.accounts.idle(found.person.role), board.current_time()
    each = _TOUCHED_EACH if idle is None else min(_TOUCHED_EACH, idle / 10)
    if now - found.used_at < each:
        return found
    note_use(board, token)
    return replace(found, used_at=now)


def _limited_to_address(request: Request, person: PersonInfo) -> PersonInfo:
    address = request.client.host if request.client else ""
    if board_of(request).accounts.permits_administration(address):
        return person
    held = person.allowed_actions
    if held is None:
        held = frozenset(a for a, roles in access.PERMISSIONS.items() if person.role in roles)
    return person.model_copy(update={"allowed_actions": held - ADMINISTRATION})


async def require_visitor(request: Request) -> Visitor:
    """Return `current_visitor`, looked up in a thread unless that has been done."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    return await run_in_threadpool(current_visitor, request) if known is None else known


CurrentVisitor = Annotated[Visitor, Depends(require_visitor)]


def csrf_token(request: Request) -> str:
    """Return the token that forms of this visit must carry; empty before the visit has a cookie."""
    secret = _secret(request)
    if not secret:
        return ""
    return hmac.new(secret.encode(), b"guardia form", hashlib.sha256).hexdigest()


def _secret(request: Request) -> str:
    known: str = getattr(request.state, "visit", "")
    return request.cookies.get(SESSION_COOKIE) or request.cookies.get(VISIT_COOKIE) or known


async def require_csrf_token(request: Request) -> None:
    """Raise `NotOurForm` for a changing request that was not sent from one of our pages."""
    # A browser never sets an Authorization header by itself, so a request with one is not a
    # page's.
    if request.method in _SAFE or caller.bearer_token(request) is not None:
        return
    expected = csrf_token(request)
    given = request.headers.get(TOKEN_HEADER) or (await request.form()).get(TOKEN_FIELD)
    foreign = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    if foreign or not _is_our_origin(request) or not expected or not isinstance(given, str):
        raise NotOurForm()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise NotOurForm()


def _is_our_origin(request: Request) -> bool:
    """Return whether one of our pages may have sent this, by the origin that the browser names.

    Without a configured origin this is not known: a proxy may have changed the host. With one,
    the address of the request itself is accepted too, as for an operator on the board's host.
    """
    settings: Settings = request.app.state.settings
    named = request.headers.get("origin")
    if settings.public_origin is None or named is None or named == settings.public_origin:
        return True
    return named.partition("://")[2] == request.headers.get("host")


def begin_visit(request: Request) -> None:
    """Give a visit without a cookie its secret; `save_visit` sends it."""
    if not _secret(request):
        request.state.visit = secrets.token_urlsafe(32)


def save_visit(request: Request, response: Response) -> None:
    """Set the cookies that are new in this visit: its secret, a chosen language or look."""
    visit = getattr(request.state, "visit", "")
    if visit:
        _set(request, response, VISIT_COOKIE, visit)
    chosen = request.query_params.get("lang")
    if chosen in LANGUAGES:
        _set(request, response, LANGUAGE_COOKIE, chosen, max_age=_YEAR)
    theme = request.query_params.get("theme")
    if theme in THEMES:
        _set(request, response, THEME_COOKIE, theme, max_age=_YEAR)


def set_session_cookie(request: Request, response: Response, token: str) -> None:
    """Set the session cookie, which signs the browser in."""
    lifetime = int(access.SESSION_LIFETIME.total_seconds())
    _set(request, response, SESSION_COOKIE, token, max_age=lifetime)
    response.delete_cookie(VISIT_COOKIE, path="/")


def session_secret(request: Request) -> str:
    """Return the secret in the session cookie, valid or not; empty if there is none."""
    return request.cookies.get(SESSION_COOKIE, "")


def device_secret(request: Request) -> str:
    """Return the secret in the cookie of the device; empty if there is none."""
    return request.cookies.get(DEVICE_COOKIE, "")


def set_device_cookie(request: Request, response: Response, secret: str) -> None:
    """Set the cookie by which this device is known at the next sign-in."""
    lifetime = int(known_devices.LIFETIME.total_seconds())
    _set(request, response, DEVICE_COOKIE, secret, max_age=lifetime)


def set_short_cookie(
    request: Request, response: Response, name: str, value: str, seconds: int, path: str
) -> None:
    """Set a cookie for one flow of pages below a path."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=path,
        httponly=True,
        samesite="lax",
        secure=_https(request),
    )


def clear_session_cookie(response: Response) -> None:
    """Delete the session cookie, which signs the browser out."""
    response.delete_cookie(SESSION_COOKIE, path="/")


def _set(
    request: Request, response: Response, name: str, value: str, max_age: int | None = None
) -> None:
    secure = _https(request)
    response.set_cookie(
        name, value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=secure
    )


def _https(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    return request.url.scheme == "https" or (settings.public_origin or "").startswith("https:")


def language_of(request: Request) -> str:
    """Return the language of the response: from `?lang=`, the cookie, or the default (Korean).

    Programs name it in `Accept-Language`. Browsers name that of their installation there, which
    is often not the reader's.
    """
    for choice in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if choice in LANGUAGES:
            return choice
    is_page = "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
    return DEFAULT_LANGUAGE if is_page else _accepted_language(request)


def theme_of(request: Request) -> str:
    """Return how pages look, one of `THEMES`: from `?theme=`, or the cookie."""
    choices = (request.query_params.get("theme"), request.cookies.get(THEME_COOKIE))
    return next((choice for choice in choices if choice in THEMES), THEMES[0])


def _accepted_language(request: Request) -> str:
    given = request.headers.get("accept-language", "")[:_MAX_LANGUAGES]
    codes = (part.strip().lower()[:2] for part in given.split(","))
    return next((code for code in codes if code in LANGUAGES), DEFAULT_LANGUAGE)


def safe_local_path(path: str) -> str:
    """Return `path` if it is one of our pages, or the start page if it may lead to another host."""
    plain = path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"
