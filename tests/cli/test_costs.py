"""`guardia costs` and `guardia budget raise` over a database of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv, seeded_env
from budget_env import apply_budget_chart, exhaust_budget, pay_calls
from page_env import PASSWORD, enrol_page_users
from typer.testing import CliRunner, Result

from guardia.cli import app
from guardia.errors import Forbidden, Invalid


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """Open a board where the command finds it, with everyone's passwords."""
    monkeypatch.setenv("GUARDIA_DSN", database.app)
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GUARDIA_PASSWORD", PASSWORD)
    monkeypatch.setenv("COLUMNS", "160")
    with seeded_env(database.app) as found:
        enrol_page_users(found)
        yield found


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_costs_by_every_grouping(env: BoardEnv) -> None:
    assert "없습니다" in run("costs").stdout, "an empty month says so"
    apply_budget_chart(env, "{won: 10, on_exhausted: pause}")
    claim = env.create_parsed_task()
    pay_calls(env, claim, times=2)
    table = run("costs").stdout
    assert "DB 전문가" in table and "0.92" in table and "9%" in table
    found = json.loads(run("costs", "--json").stdout)
    (line,) = found["lines"]
    assert (line["key"], line["calls"], line["won"], line["tokens_in"]) == (
        "db-agent", 2, 0.92, 1200,
    )  # fmt: skip
    own = next(b for b in found["budgets"] if b["id"] == "db-agent")
    assert own["month"] == {
        "spent": {"tokens": 2000, "won": 0.92},
        "cap": {"tokens": None, "won": 10.0},
    }
    keys = {"institution": "MOF", "model": "qwen", "issue": str(claim.sr_id)}
    for by, key in keys.items():
        (line,) = json.loads(run("costs", "--by", by, "--json").stdout)["lines"]
        assert (line["key"], line["won"]) == (key, 0.92)
    for by in ("day", "month"):
        (line,) = json.loads(run("costs", "--by", by, "--json").stdout)["lines"]
        assert line["won"] == 0.92 and line["key"].startswith(found["month"])
    earlier = json.loads(run("costs", "--month", "2026-01", "--json").stdout)
    assert (earlier["lines"], earlier["budgets"]) == ([], [])
    assert isinstance(run("costs", "--by", "moon").exception, Invalid)
    assert isinstance(run("costs", "--month", "11/2026").exception, Invalid)


def test_raising_a_budget_resumes_the_agent(env: BoardEnv) -> None:
    claim = exhaust_budget(env)
    assert "예산 부족으로 중지" in run("costs").stdout
    words = ("budget", "raise", "db-agent", "--tokens", "2000", "--reason", "월말까지")
    assert isinstance(run(*words, "--as", "lead").exception, Forbidden)
    done = run(*words, "--as", "pm")
    assert done.exit_code == 0 and "작업을 재개합니다" in done.stdout
    assert env.claim("db-agent").task_id == claim.task_id
    company = run("budget", "raise", "company", "--won", "5", "--reason", "x", "--as", "pm")
    assert isinstance(company.exception, Invalid), "there is no such cap"
