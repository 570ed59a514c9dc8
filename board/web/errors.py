"""Answer errors: as a page for people, as JSON for programs.

The JSON has the shape that GitHub's clients expect: `{message, documentation_url?, errors?}`.
Traces, queries and settings are never shown.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError, TimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from guardia import errors
from guardia.board.web import render
from guardia.board.web.caller import is_fragment
from guardia.board.web.security_headers import HEADERS
from guardia.board.web.session import NotOurForm, SignInNeeded, Visitor, require_visitor
from guardia.db.faults import is_temporary
from guardia.errors import GuardiaError, UserError
from guardia.i18n import t

log = logging.getLogger(__name__)

STATUS_CODES: dict[type[GuardiaError], int] = {
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.PasswordChangeNeeded: 403,
    NotOurForm: 403,
    SignInNeeded: 401,
    errors.TokenNeeded: 401,
    errors.NoCallsLeft: 429,
    errors.PasskeyUnavailable: 409,
    errors.PasskeyMissing: 409,
    errors.PasskeyNeeded: 403,
    errors.PasskeyRejected: 403,
    errors.Invalid: 422,
    errors.Throttled: 429,
    errors.TooOften: 429,
    errors.Stale: 409,
    errors.IllegalMove: 409,
    errors.Refused: 409,
    errors.ClockOff: 503,
    errors.StoppedLocally: 503,
    errors.StoreFull: 507,
    errors.Unserved: 503,
}
_FOR_EVERYONE = (errors.ClockOff, errors.StoppedLocally, errors.StoreFull, errors.Unserved)
"""Errors of the installation whose text is shown: it says what people must know."""
_API_PREFIXES = ("/api/", "/intake/", "/healthz", "/readyz", "/openapi.json", "/events")
_DIALECT = "/api/v3/"
_FIXED_WORDS = {
    401: "Bad credentials",
    404: "Not Found",
}
"""Words by which clients of GitHub know an error, in every language."""
_DOCS = "/docs"
_LOGGED_PATH = 200
_LONGEST_PLACE = 400
_RETRY_AFTER = "5"
"""Seconds until another attempt, while the database does not answer."""


def install(app: FastAPI) -> None:
    """Register the handlers of all exceptions."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(errors.PasswordChangeNeeded, _change_password)
    app.add_exception_handler(GuardiaError, _guardia_error)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for database_error in (DBAPIError, TimeoutError, psycopg.Error):
        app.add_exception_handler(database_error, _database)
    app.add_exception_handler(ClientDisconnect, _gone)
    for kind in (DataError, UnicodeError, RecursionError):
        app.add_exception_handler(kind, _unreadable)
    app.add_exception_handler(Exception, _unexpected)


def status_of(error: GuardiaError) -> int:
    """Return the HTTP status of an error."""
    for kind in type(error).__mro__:
        if kind in STATUS_CODES:
            return STATUS_CODES[kind]
    return 400 if isinstance(error, UserError) else 500


def wants_page(request: Request) -> bool:
    """Return whether a browser expects HTML."""
    if request.url.path.startswith(_API_PREFIXES):
        return False
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts or is_fragment(request)


def message_of(error: GuardiaError) -> str:
    """Return the error's message in the current language."""
    return t(f"errors.{type(error).__name__}", **error.detail)


def error_response(
    request: Request,
    status: int,
    message: str | None = None,
    *,
    reference: str = "",
    problems: list[dict[str, str]] | None = None,
    visitor: Visitor | None = None,
) -> Response:
    """Return an error as a page, in the frame of a visitor who is signed in, or as JSON."""
    with render.use_visitor_language(request):
        title = _title(status)
        text = (
            message or t(f"web.fault.{status}.text")
            if status in _STATUSES_WITH_TEXT
            else message or title
        )
    if wants_page(request):
        return render.page(
            request,
            "web/error.html",
            status=status,
            visitor=visitor,
            code=status,
            title=title,
            text=text,
            reference=reference,
            problems=problems or [],
        )
    if request.url.path.startswith(_DIALECT):
        text = _FIXED_WORDS.get(status, text)
    body: dict[str, Any] = {"message": text, "documentation_url": _DOCS}
    if problems:
        body["errors"] = problems
    if reference:
        body["reference"] = reference
    return JSONResponse(body, status_code=status)


_STATUSES_WITH_TEXT = (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 503)


def _title(status: int) -> str:
    return (
        t(f"web.fault.{status}.title")
        if status in _STATUSES_WITH_TEXT
        else HTTPStatus(status).phrase
    )


_FRAMED = (403, 404, 405, 409, 422)
"""Answers that look the visitor up; a refusal for lack of room or time costs no query."""


async def _framed(request: Request, status: int, *args: Any, **words: Any) -> Response:
    """Return an error with name and navigation of the visitor, if the database can tell."""
    visitor = None
    if wants_page(request) and status in _FRAMED:
        with suppress(GuardiaError, SQLAlchemyError):
            visitor = await require_visitor(request)
    return await run_in_threadpool(error_response, request, status, *args, visitor=visitor, **words)


async def _sign_in(request: Request, _error: Exception) -> Response:
    if not wants_page(request):
        return error_response(request, 401)
    address = f"/login?{urlencode({'next': _place_after_sign_in(request)})}"
    if is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse(address, status_code=303)


def _place_after_sign_in(request: Request) -> str:
    """Return the page that was asked for, or the one whose form was sent."""
    if request.method == "GET":
        place = request.url
    else:
        place = URL(request.headers.get("referer", ""))
        if place.netloc != request.url.netloc:
            return "/issues"
    path = f"{place.path}?{place.query}" if place.query else place.path
    return path if len(path) <= _LONGEST_PLACE else place.path[:_LONGEST_PLACE]


async def _change_password(request: Request, error: Exception) -> Response:
    if not wants_page(request):
        return await _guardia_error(request, error)
    if is_fragment(request):
        return Response(status_code=403, headers={"HX-Redirect": "/account/password"})
    return RedirectResponse("/account/password", status_code=303)


async def _guardia_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GuardiaError)
    status = status_of(error)
    if status >= 500 and not isinstance(error, _FOR_EVERYONE):
        # Details for operators may name hosts and outputs, so they only go to the log.
        return _internal_error(request, error)
    with render.use_visitor_language(request):
        text = message_of(error)
    response = await _framed(request, status, text)
    if isinstance(error, errors.TooOften):
        response.headers["retry-after"] = str(error.detail["seconds"])
    return response


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # Messages of libraries are in English; any other text is from our catalogue.
    own = None if error.detail.isascii() or error.status_code >= 500 else error.detail
    response = await _framed(request, error.status_code, own)
    response.headers.update(error.headers or {})
    return response


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(e["loc"][0] == "path" for e in found):
        return await _framed(request, 404)
    with render.use_visitor_language(request):
        problems = [
            {
                "resource": request.url.path,
                "field": ".".join(str(p) for p in e["loc"][1:]),
                "code": "missing_field" if e["type"] == "missing" else "invalid",
                "message": _problem(e["type"]),
            }
            for e in found
        ]
    return await _framed(request, 422, problems=problems)


def _problem(kind: str) -> str:
    if kind == "missing":
        return t("web.fault.missing")
    return t("web.fault.too_long") if kind == "string_too_long" else t("web.fault.invalid")


async def _database(request: Request, error: Exception) -> Response:
    """Answer an error of the database: one that passes asks for another attempt."""
    if not is_temporary(error):
        return _internal_error(request, error)
    cause = getattr(error, "orig", None) or error
    log.error("the database does not answer: %s", type(cause).__name__)
    response = error_response(request, 503)
    response.headers["retry-after"] = _RETRY_AFTER
    return response


async def _gone(_request: Request, _error: Exception) -> Response:
    # The client has ended its connection, or the server did so for taking too long.
    return Response(status_code=408)


async def _unreadable(request: Request, error: Exception) -> Response:
    """Answer a value that no field has refused, but that cannot be read, encoded or compared.

    It is the sender's fault, and anyone can repeat it: one line in the log, without a trace.
    """
    path = request.url.path[:_LOGGED_PATH]
    log.warning("unreadable value on %r: %s", path, type(error).__name__)
    return error_response(request, 400)


async def _unexpected(request: Request, error: Exception) -> Response:
    return _internal_error(request, error)


def _internal_error(request: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.error("fault %s on %s", reference, request.url.path, exc_info=error)
    response = error_response(request, 500, reference=reference)
    # Starlette answers unhandled exceptions outside of every middleware.
    response.headers.update(HEADERS | {"cache-control": "no-store"})
    return response
