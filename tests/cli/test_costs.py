"""`guardia costs` and `guardia budget raise` over a database of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from budget_env import apply_budget_chart, exhaust_budget, pay_calls
from command_line import command_env, invoke, output, refusal

from guardia.errors import Forbidden, Invalid


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    """A board where the command finds it, with everyone's passwords."""
    with command_env(database, tmp_path / "home", monkeypatch, COLUMNS="160") as found:
        yield found


@pytest.mark.slow
def test_costs_by_everything(env: BoardEnv) -> None:
    assert "없습니다" in output("costs"), "an empty month says so"
    apply_budget_chart(env, "{won: 10, on_exhausted: pause}")
    claim = env.create_parsed_task()
    pay_calls(env, claim, times=2)
    table = output("costs")
    assert "DB 전문가" in table and "0.92" in table and "9%" in table
    found = json.loads(output("costs", "--json"))
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
        (line,) = json.loads(output("costs", "--by", by, "--json"))["lines"]
        assert (line["key"], line["won"]) == (key, 0.92)
    for by in ("day", "month"):
        (line,) = json.loads(output("costs", "--by", by, "--json"))["lines"]
        assert line["won"] == 0.92 and line["key"].startswith(found["month"])
    earlier = json.loads(output("costs", "--month", "2026-01", "--json"))
    assert (earlier["lines"], earlier["budgets"]) == ([], [])
    refusal(Invalid, "costs", "--by", "moon")
    refusal(Invalid, "costs", "--month", "11/2026")


@pytest.mark.slow
def test_raising_a_budget_lets_the_agent_go_on(env: BoardEnv) -> None:
    claim = exhaust_budget(env)
    assert "예산 부족으로 중지" in output("costs")
    words = ("budget", "raise", "db-agent", "--tokens", "2000", "--reason", "월말까지")
    refusal(Forbidden, *words, "--as", "lead")
    done = invoke(*words, "--as", "pm")
    assert done.exit_code == 0 and "작업을 재개합니다" in done.stdout
    assert env.claim("db-agent").task_id == claim.task_id
    company = invoke("budget", "raise", "company", "--won", "5", "--reason", "x", "--as", "pm")
    assert isinstance(company.exception, Invalid), "there is no such cap"
