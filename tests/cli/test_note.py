"""`guardia note`: people read, add, correct and strike out notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, output, refusal

from guardia.board.organization import agent_memory
from guardia.errors import Forbidden, NotFound


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as found:
        yield found


def note(verb: str, *words: str, who: str = "lead") -> tuple[object, ...]:
    return ("note", verb, "db-agent", *words, "--as", who)


@pytest.mark.slow
def test_notes_are_read_added_corrected_and_struck_out(env: BoardEnv) -> None:
    agent_memory.write(env.board, env.create_parsed_task(), "세션 7이 막고 있음", [])
    output(*note("add", "월말에는 [b]배치[/b] 먼저"))
    listed = output(*note("list"))
    assert "세션 7이 막고 있음" in listed and "[b]배치[/b]" in listed
    number = listed.split("#")[1].split(" ")[0]
    output(*note("edit", number, "월말에는 마감 먼저"))
    output(*note("strike", number))
    shown = output(*note("show", number))
    assert "마감 먼저" in shown and "[b]배치[/b]" in shown and "정다은 팀장" in shown
    output(*note("strike", number, "--restore"))
    refusal(Forbidden, *note("add", "고객의 말", who="cus"))
    refusal(NotFound, *note("show", "999"))
