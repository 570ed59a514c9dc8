"""`guardia dashboard`: figures as a table, JSON and files, and the rebuild of their totals."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from command_line import command_env, output, refusal
from openpyxl import load_workbook

from guardia.errors import Invalid, NotFound


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """A board where the command finds it, with everyone's passwords."""
    with command_env(database, tmp_path / "home", monkeypatch, COLUMNS="160") as found:
        yield found


@pytest.mark.slow
def test_figures_on_the_command_line(env: BoardEnv, tmp_path: Path) -> None:
    env.create_parsed_task()
    asked = ("dashboard", "show", "institutions", "--as", "lead", "--institution", "MOF")
    found = json.loads(output(*asked, "--json"))
    assert found["columns"][1] == "처리 중" and found["rows"] == [["기획재정부", 1, 1, 0, 0]]
    assert "기획재정부" in output(*asked)
    file = tmp_path / "기관.xlsx"
    assert str(file) in output(*asked, "--output", str(file))
    assert load_workbook(io.BytesIO(file.read_bytes())).worksheets[0]["B2"].value == 1
    refusal(Invalid, *asked, "--output", str(tmp_path / "x.pdf"))
    refusal(Invalid, *asked, "--days", "5")
    refusal(NotFound, "dashboard", "show", "institutions", "--as", "cus")
    assert set(json.loads(output("dashboard", "list", "--as", "cus", "--json"))) == {"requests"}
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_figure_change set n = 5")
    assert json.loads(output(*asked, "--json"))["rows"][0][1] > 5
    assert "다시 만들었습니다" in output("dashboard", "rebuild")
    assert json.loads(output(*asked, "--json"))["rows"][0][1] == 1
