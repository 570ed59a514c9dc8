"""Fixtures of GitHub's dialect: a real board process, and its clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from github import Auth, Github
from github_env import token_of
from page_env import serve_app


@pytest.fixture
def site(app: FastAPI) -> Iterator[str]:
    """Serve the application on a port of its own."""
    with serve_app(app) as address:
        yield address


@pytest.fixture
def client(site: str, web_env: BoardEnv) -> Callable[[str], Github]:
    """Return a function: `client("lead")` is PyGithub with a token of that person."""

    def made(person: str) -> Github:
        return Github(
            base_url=f"{site}/api/v3",
            auth=Auth.Token(token_of(web_env, person)),
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        )

    return made
