"""`guardia token` as a person uses it, over a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, invoke, output, refusal

from guardia.board.web.session import signed_in_person
from guardia.errors import Forbidden, Invalid


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.slow
def test_made_shown_once_listed_and_ended(env: BoardEnv) -> None:
    made = invoke("token", "create", "관제", "--as", "lead", "--may", "control.kill", "--days", "7")
    secret = made.stdout.strip()
    assert made.exit_code == 0 and "\n" not in secret
    found = signed_in_person(env.board, secret)
    assert found is not None and found.allowed_actions == {"control.kill"}
    listed = output("token", "list", "--as", "lead")
    assert "관제" in listed and "control.kill" in listed and secret not in listed
    output("token", "revoke", "1", "--as", "lead")
    assert signed_in_person(env.board, secret) is None
    assert "폐기" in output("token", "list", "--as", "lead")


@pytest.mark.slow
def test_refusals(env: BoardEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    may = ("--as", "lead", "--may")
    refusal(Invalid, "token", "create", "결정", *may, "approval.decide")
    monkeypatch.setenv("GUARDIA_PASSWORD", "wrong")
    refusal(Forbidden, "token", "create", "관제", *may, "control.kill")
