"""The pages over a seeded board, and browsers that are somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cast import Cast, seated
from fastapi import FastAPI
from pages import PASSWORD, Browser, application, enrol_more


@pytest.fixture
def board(database: Any) -> Iterator[Cast]:
    """The seeded board with everyone's passwords."""
    with seated(database.app) as found:
        enrol_more(found)
        yield found


@pytest.fixture
def app(board: Cast) -> FastAPI:
    """The application; nothing runs beside it."""
    return application(board.desk)


@pytest.fixture
def anyone(app: FastAPI) -> Browser:
    """A browser that nobody has signed in with."""
    return Browser(app, raise_server_exceptions=False)


@pytest.fixture
def browse(app: FastAPI) -> Callable[[str], Browser]:
    """``browse("lead")``: a browser in which that person has signed in."""

    def signed_in(account: str) -> Browser:
        browser = Browser(app, raise_server_exceptions=False)
        answer = browser.fill("/login", "/login", account=account, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    return signed_in
