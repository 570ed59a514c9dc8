"""The seeded board, its pages, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_env import AuditEnv, open_audit_env
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import PASSWORD, PageClient, enrol_page_users, page_app


@pytest.fixture
def audit_env(env: BoardEnv, database: Any, tmp_path: Path) -> AuditEnv:
    """The same board with a notary, copies outside and a superuser who attacks."""
    return open_audit_env(env, database.superuser, tmp_path)


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """The seeded board with everyone's passwords."""
    enrol_page_users(env)
    return env


@pytest.fixture
def app(web_env: BoardEnv) -> FastAPI:
    """The application; nothing runs beside it."""
    return page_app(web_env.board)


@pytest.fixture
def anonymous(app: FastAPI) -> PageClient:
    """A browser that nobody has signed in with."""
    return PageClient(app, raise_server_exceptions=False)


@pytest.fixture
def sign_in_as(app: FastAPI) -> Callable[[str], PageClient]:
    """``browse("lead")``: a browser in which that person has signed in."""

    def signed_in(account: str) -> PageClient:
        browser = PageClient(app, raise_server_exceptions=False)
        answer = browser.submit_form("/login", "/login", account=account, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    return signed_in
