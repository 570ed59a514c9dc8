from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, output, refusal

from guardia.errors import Invalid

PASSWORD = "넉넉히-기나긴-암호-7"


@pytest.mark.slow
def test_an_operator_keeps_accounts(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"GUARDIA_PASSWORD": PASSWORD, "COLUMNS": "200"}

    def person(*words: object) -> str:
        return output("person", *words)

    with command_env(database, tmp_path, monkeypatch, people=False, **variables):
        person(
            "add",
            "lead9",
            "--name",
            "새 감사",
            "--role",
            "engineer",
            "--identity",
            "사번 9",
        )
        assert "동일인(사번 9)" in person("link", "lead9", "cus")
        person("link", "lead9", "mattermost:u9")
        assert "다른 사람의 승인" in person("role", "lead9", "pm")
        person("role", "lead9", "auditor")
        person("deactivate", "lead9")
        rows = [line for line in person("list").splitlines() if "사번 9" in line]
        assert [r.split()[1] for r in rows] == ["cus", "lead9"]
        assert all(word in rows[1] for word in ("새 감사", "감사인", "mattermost:u9", "비활성"))
        person("unlink", "mattermost:u9")
        assert "mattermost:u9" not in person("list")
        file = tmp_path / "people.yaml"
        file.write_text("people:\n  - {id: new, name: 명부, title: 과장, role: engineer}\n")
        assert "1명 중 1명" in person("load", file)
        assert "1명 중 0명" in person("load", file)
        for wrong in ("people: [{id: a}]", "- a", "people: {", "people:\n"):
            file.write_text(wrong)
            refusal(Invalid, "person", "load", file)
