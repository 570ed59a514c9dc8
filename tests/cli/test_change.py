"""`guardia change`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, output


@pytest.mark.slow
def test_what_is_planned_and_what_collides(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch, people=False) as env:
        assert "예정된 변경이 없습니다" in output("change", "list")
        env.create_filed_plan()
        assert "[변경] MOF-DB-01" in output("change", "list")
        assert json.loads(output("change", "list", "--json"))[0]["place"] == "MOF-DB-01"
        assert "[같은 서버]" in output("change", "conflicts", "MOF-DB-01")
        assert "겹치는 변경이 없습니다" in output("change", "conflicts", "MOF-WAS-01")
