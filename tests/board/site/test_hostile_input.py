"""No byte of a request ends in an error 500: every route, every place, every hostile value."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from hostile_requests import Answer, HostileRequest, RawClient, requests_for
from page_env import PageClient

from guardia.board.site.permissions import PUBLIC
from guardia.board.web import session

_SESSION_ENDS = {"/logout", "/login"}
Browse = Callable[[str], PageClient]


def _cookie(browser: PageClient) -> list[tuple[bytes, bytes]]:
    """Headers of a browser that is signed in, with the token of its forms."""
    token = browser.cookies[session.SESSION_COOKIE]
    form = hmac.new(token.encode(), b"guardia form", hashlib.sha256).hexdigest()
    return [
        (b"cookie", f"{session.SESSION_COOKIE}={token}".encode()),
        (b"x-csrf-token", form.encode()),
        (b"accept", b"text/html"),
    ]


_NEEDS_WORKER = {"/readyz", "/search/documents", "/api/v3/search/documents"}


def _fault(one: HostileRequest, found: Answer) -> str:
    """Describe an error 500, or an answer that is neither a page nor JSON."""
    if one.route in _NEEDS_WORKER and found.status == 503:  # true here: no worker runs
        return ""
    if 200 <= found.status < 400 or (400 <= found.status < 500 and _is_clear(one, found)):
        return ""
    return f"{one}: {found.status} {found.body[:200]!r}"


def _is_clear(one: HostileRequest, found: Answer) -> bool:
    """Whether an error is a page, or JSON with a sentence."""
    if found.headers.get("content-type", "").startswith("text/html"):
        return b"<h1" in found.body
    return one.method == "HEAD" or bool(json.loads(found.body).get("message"))


def _is_public(app: FastAPI, one: HostileRequest) -> bool:
    return app.state.rules.get((one.method, one.route)) == PUBLIC


@pytest.mark.slow
def test_no_hostile_value_in_any_place_ends_in_an_error_of_ours(
    web_env: BoardEnv, app: FastAPI, sign_in_as: Browse, caplog: pytest.LogCaptureFixture
) -> None:
    web_env.create_filed_plan()
    found = [one for one in requests_for(app) if one.route != "/events"]
    # Other routes answer a stranger before they read anything else.
    strange = [one for one in found if _is_public(app, one) or one.is_drawn]
    known = [one for one in found if one.route not in _SESSION_ENDS]
    browser = RawClient(app, *_cookie(sign_in_as("admin")))

    with caplog.at_level(logging.WARNING):
        assert RawClient(app).send_all(strange, _fault) == []
        assert browser.send_all(known, _fault) == []

    assert len({(one.method, one.route) for one in known}) > 400
    assert [r.getMessage()[:200] for r in caplog.records if r.exc_info] == []
