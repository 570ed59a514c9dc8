"""`guardia paper`: files of papers and their templates on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import SERVER, BoardEnv
from command_line import command_env, output, refusal
from openpyxl import load_workbook
from page_env import IssueScenario

from guardia.errors import Invalid, NotFound


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """A board where the command finds it, with everyone's passwords."""
    with command_env(database, tmp_path / "home", monkeypatch, COLUMNS="160") as found:
        yield found


@pytest.mark.slow
def test_papers_on_the_command_line(env: BoardEnv, tmp_path: Path) -> None:
    scenario = IssueScenario(env).waiting(institution="MOF")
    asked = ("paper", "issue", f"SR-{scenario.sr_id}", "--kind", "work_plan")
    file = tmp_path / "plan.xlsx"
    assert str(file) in output(*asked, "--format", "xlsx", "--out", str(file))
    assert load_workbook(file).worksheets[0]["A1"].value == "작업계획서"
    refusal(Invalid, *asked, "--format", "xlsx", "--out", str(file))
    refusal(Invalid, *asked, "--format", "pdf")
    refusal(NotFound, *asked[:-1], "work_result")
    refusal(NotFound, *asked[:-1], "letter")
    refusal(NotFound, *asked, "--as", "cus", "--out", str(tmp_path / "x.hwpx"))
    page = tmp_path / "month.html"
    output("paper", "month", "--institution", "MOF", "--format", "html", "--out", str(page))
    assert "기획재정부" in page.read_text("utf-8") and "@page" in page.read_text("utf-8")
    data = tmp_path / "list.json"
    wanted = ("paper", "inspection", "--server", SERVER.server_id, "--format", "json")
    output(*wanted, "--out", str(data))
    assert json.loads(data.read_text("utf-8"))["title"] == "정기점검표"
    shown = output("paper", "template", "show", "month")
    own = tmp_path / "month.yaml"
    own.write_text(shown.replace("title: 월간 운영보고서", "title: 월간 업무보고"), "utf-8")
    assert "월간 업무보고" in output("paper", "template", "check", "month", str(own))
    at = ("--institution", "MOF")
    assert "1판" in output("paper", "template", "apply", "month", str(own), *at)
    assert "월간 업무보고" in output("paper", "template", "show", "month", *at)
    assert "기본 서식" in output("paper", "template", "reset", "month", *at)
    assert "3판" in output("paper", "template", "rollback", "1")
    history = json.loads(output("paper", "template", "history", "month", *at, "--json"))
    assert [one["number"] for one in history] == [3, 2, 1]
    own.write_text("kind: month\n", "utf-8")
    refusal(Invalid, "paper", "template", "apply", "month", str(own))
