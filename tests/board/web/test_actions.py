"""A submitted form redirects on success and returns with the reason on refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from page_env import PAGE, PageClient

from guardia import errors
from guardia.board.site import permissions
from guardia.board.web import actions


def sending(
    app: FastAPI, act: Callable[[], Any], on_success: str | Callable[[Any], str] = "/there"
) -> PageClient:
    """Return the application with one more form, which runs `act`."""

    def again(*, status: int, notice: str) -> Response:
        return PlainTextResponse(f"again: {notice}", status)

    def send(request: Request) -> Response:
        return actions.submit(request, act, on_success=on_success, on_refusal=again)

    app.add_api_route("/form", send, methods=["GET"])
    app.state.rules["GET", "/form"] = permissions.PUBLIC
    return PageClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("on_success", "location"), [("/there", "/there"), (lambda n: f"/goals/{n}", "/goals/7")]
)
def test_success_redirects_to_the_result(
    app: FastAPI, on_success: str | Callable[[int], str], location: str
) -> None:
    answer = sending(app, lambda: 7, on_success).get_page("/form")
    assert (answer.status_code, answer.headers["location"]) == (303, location)


def refuse() -> None:
    raise errors.Stale(what="SR-1")


@pytest.mark.slow
def test_a_refusal_is_shown_in_the_language_of_the_visitor(app: FastAPI) -> None:
    browser = sending(app, refuse)
    korean, english = browser.get_page("/form"), browser.get_page("/form?lang=en")
    assert korean.status_code == english.status_code == 409
    assert korean.text == f"again: {errors.Stale(what='SR-1')}"
    assert english.text.isascii() and english.text.startswith("again: SR-1")


def test_programs_get_a_refusal_as_data(app: FastAPI) -> None:
    answer = sending(app, refuse).get("/form", headers={"accept": "application/json"})
    assert answer.status_code == 409
    assert answer.json()["message"] == str(errors.Stale(what="SR-1"))


@pytest.mark.slow
def test_an_unexpected_error_is_not_shown_on_the_page(app: FastAPI) -> None:
    def fail() -> None:
        raise errors.Misconfigured(what="dsn", why="secret")

    answer = sending(app, fail).get("/form", headers=PAGE)
    assert answer.status_code == 500
    assert "again" not in answer.text and "secret" not in answer.text
