"""The seeded board, its pages, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_env import Sealed, sealing
from cast import Cast
from fastapi import FastAPI
from pages import PASSWORD, Browser, application, enrol_more


@pytest.fixture
def sealed(cast: Cast, database: Any, tmp_path: Path) -> Sealed:
    """The same board with a notary, copies outside and a superuser who attacks."""
    return sealing(cast, database.superuser, tmp_path)


@pytest.fixture
def board(cast: Cast) -> Cast:
    """The seeded board with everyone's passwords."""
    enrol_more(cast)
    return cast


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
