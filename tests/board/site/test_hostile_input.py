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
from hostile_requests import Answer, HostileRequest, RawClient, requests_for, sampled
from page_env import PageClient

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


def _tried(app: FastAPI, browser: PageClient, one_in: int) -> list[str]:
    everything = [one for one in requests_for(app) if one.route != "/events"]
    calm = [one for one in everything if one.route not in _SESSION_ENDS]
    chosen = sampled(everything, one_in), sampled(calm, one_in)
    faults = RawClient(app).send_all(chosen[0], _fault)
    return faults + RawClient(app, *_cookie(browser)).send_all(chosen[1], _fault)


@pytest.mark.slow
def test_no_hostile_value_ends_in_an_error_of_ours(
    web_env: BoardEnv, app: FastAPI, sign_in_as: Browse, caplog: pytest.LogCaptureFixture
) -> None:
    web_env.create_filed_plan()
    with caplog.at_level(logging.WARNING):
        assert _tried(app, sign_in_as("admin"), 97) == []
    assert [r.getMessage()[:200] for r in caplog.records if r.exc_info] == []


@pytest.mark.slow
def test_every_hostile_value_in_every_place(
    web_env: BoardEnv, app: FastAPI, sign_in_as: Browse
) -> None:
    web_env.create_filed_plan()
    assert _tried(app, sign_in_as("admin"), 1) == []
