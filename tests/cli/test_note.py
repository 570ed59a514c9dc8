"""`guardia note`: people read, add, correct and strike out notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv, seeded_env
from page_env import PASSWORD, enrol_page_users
from typer.testing import CliRunner, Result

from guardia.board.organization import agent_memory
from guardia.cli import app
from guardia.errors import Forbidden, NotFound


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    monkeypatch.setenv("GUARDIA_DSN", database.app)
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_PASSWORD", PASSWORD)
    with seeded_env(database.app) as found:
        enrol_page_users(found)
        yield found


def run(verb: str, *words: str, who: str = "lead") -> Result:
    return CliRunner().invoke(app, ["note", verb, "db-agent", *words, "--as", who])


def test_notes_are_read_added_corrected_and_struck_out(env: BoardEnv) -> None:
    agent_memory.write(env.board, env.create_parsed_task(), "세션 7이 막고 있음", [])
    assert run("add", "월말에는 [b]배치[/b] 먼저").exit_code == 0
    listed = run("list").output
    assert "세션 7이 막고 있음" in listed and "[b]배치[/b]" in listed
    number = listed.split("#")[1].split(" ")[0]
    assert run("edit", number, "월말에는 마감 먼저").exit_code == 0
    assert run("strike", number).exit_code == 0
    shown = run("show", number).output
    assert "마감 먼저" in shown and "[b]배치[/b]" in shown and "정다은 팀장" in shown
    assert run("strike", number, "--restore").exit_code == 0
    assert isinstance(run("add", "고객의 말", who="cus").exception, Forbidden)
    assert isinstance(run("show", "999").exception, NotFound)
