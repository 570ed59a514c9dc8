"""`guardia token` as a person uses it, over a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv, seeded_env
from page_env import PASSWORD, enrol_page_users
from typer.testing import CliRunner, Result

from guardia.board.web.session import signed_in_person
from guardia.cli.token import app
from guardia.errors import Forbidden, Invalid


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    monkeypatch.setenv("GUARDIA_DSN", database.app)
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_PASSWORD", PASSWORD)
    with seeded_env(database.app) as found:
        enrol_page_users(found)
        yield found


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_token_is_shown_once_listed_and_revoked(env: BoardEnv) -> None:
    made = run("create", "관제", "--as", "lead", "--may", "control.kill", "--days", "7")
    secret = made.stdout.strip()
    assert made.exit_code == 0 and "\n" not in secret
    found = signed_in_person(env.board, secret)
    assert found is not None and found.allowed_actions == {"control.kill"}
    listed = run("list", "--as", "lead").stdout
    assert "관제" in listed and "control.kill" in listed and secret not in listed
    assert run("revoke", "1", "--as", "lead").exit_code == 0
    assert signed_in_person(env.board, secret) is None
    assert "폐기" in run("list", "--as", "lead").stdout


def test_refusals(env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(
        run("create", "결정", "--as", "lead", "--may", "approval.decide").exception, Invalid
    )
    monkeypatch.setenv("GUARDIA_PASSWORD", "wrong")
    refused = run("create", "관제", "--as", "lead", "--may", "control.kill").exception
    assert isinstance(refused, Forbidden)
