"""Fixtures of the board's tests: the seeded board, its pages, and signed-in browsers."""

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
    """Return the same board with a notary, copies outside and an attacking superuser."""
    return open_audit_env(env, database.superuser, tmp_path)


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """Return the seeded board with passwords for everyone."""
    enrol_page_users(env)
    return env


@pytest.fixture
def app(web_env: BoardEnv) -> FastAPI:
    """Return the application; nothing else runs."""
    return page_app(web_env.board)


@pytest.fixture
def anonymous(app: FastAPI) -> PageClient:
    """Return a browser that is not signed in."""
    return PageClient(app, raise_server_exceptions=False)


@pytest.fixture
def sign_in_as(app: FastAPI) -> Callable[[str], PageClient]:
    """Return a function: `sign_in_as("lead")` returns a browser signed in as that person."""

    def signed_in(account: str) -> PageClient:
        browser = PageClient(app, raise_server_exceptions=False)
        answer = browser.submit_form("/login", "/login", account=account, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    return signed_in
