"""`guardia do`: commands in Korean from the command line, asked and answered there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_env import one
from command_line import command_env, invoke, output


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path, monkeypatch) as env:
        yield env


def status(env: BoardEnv) -> str:
    return str(one(env, "select status from tb_sr_request"))


@pytest.mark.slow
def test_a_command_is_shown_carried_out_and_kept(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    shown = output("do", "일시정지해줘", "--sr", str(sr), "--as", "lead")
    assert '{"action": "pause"' in shown and f"SR-{sr}" in shown
    assert one(env, "select bool_or(paused) from tb_ops_task") is True
    assert "일시정지해줘" in output("do", "--history", "--as", "lead")


@pytest.mark.slow
def test_a_destructive_command_is_asked_unless_the_person_says_yes(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    no = invoke("do", f"#{sr} 중단해", "--as", "lead", answer="n\n")
    assert no.exit_code == 0 and status(env) == "PARSED"
    silent = invoke("do", f"#{sr} 중단해", "--as", "lead", answer="")
    assert silent.exit_code != 0 and status(env) == "PARSED"
    found = json.loads(output("do", f"#{sr} 중단해", "--as", "lead", "--json"))
    assert found["state"] == "CONFIRM" and status(env) == "PARSED"
    output("do", f"#{sr} 중단해", "--as", "lead", "--yes")
    assert status(env) == "ABORTED"


@pytest.mark.slow
def test_reading_does_nothing_and_a_refusal_fails(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    read = json.loads(output("do", f"#{sr} 일시정지", "--as", "lead", "--dry-run", "--json"))
    assert read["structure"] == {"action": "pause", "sr_id": sr}
    assert one(env, "select count(*) from tb_command") == 0
    assert invoke("do", f"#{sr} 일시정지", "--as", "cus").exit_code == 1
    assert invoke("do", "안녕하세요", "--as", "lead").exit_code == 1
    assert invoke("do", " ", "--as", "lead").exit_code != 0
