"""`guardia person`: the operator manages accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from board_env import seeded_env
from typer.testing import CliRunner

from guardia.cli import app
from guardia.errors import Invalid

PASSWORD = "넉넉히-기나긴-암호"


def test_an_operator_manages_accounts(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIA_HOME", str(tmp_path))
    monkeypatch.setenv("GUARDIA_DSN", database.app)
    monkeypatch.setenv("GUARDIA_PASSWORD", PASSWORD)
    monkeypatch.setenv("COLUMNS", "200")

    def run_ok(*words: str) -> str:
        done = CliRunner().invoke(app, ["person", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    with seeded_env(database.app):
        run_ok("add", "lead9", "--name", "새 팀장", "--role", "team_lead", "--identity", "사번 9")
        assert "동일인(사번 9)" in run_ok("link", "lead9", "cus")
        run_ok("link", "lead9", "mattermost:u9")
        run_ok("role", "lead9", "pm")
        run_ok("deactivate", "lead9")
        rows = [line for line in run_ok("list").splitlines() if "사번 9" in line]
        assert [r.split()[1] for r in rows] == ["cus", "lead9"]
        assert all(word in rows[1] for word in ("새 팀장", "PM", "mattermost:u9", "비활성"))
        run_ok("unlink", "mattermost:u9")
        assert "mattermost:u9" not in run_ok("list")
        file = tmp_path / "people.yaml"
        file.write_text("people:\n  - {id: new, name: 명부, title: 과장, role: engineer}\n")
        assert "1명 중 1명" in run_ok("load", str(file))
        assert "1명 중 0명" in run_ok("load", str(file))
        for wrong in ("people: [{id: a}]", "- a", "people: {", "people:\n"):
            file.write_text(wrong)
            with pytest.raises(Invalid):
                run_ok("load", str(file))
