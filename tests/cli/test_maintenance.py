"""`guardia maintenance`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, invoke, output


@pytest.mark.slow
def test_the_operator_declares_lists_and_ends_a_window(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch, people=False):
        words = ("--server", "MOF-DB-01", "--until", "23:59", "--reason", "점검")
        assert "1번을 등록" in output("maintenance", "add", *words)
        assert "MOF-DB-01" in output("maintenance", "list")
        assert "1번을 종료" in output("maintenance", "end", 1)
        assert "MOF-DB-01" not in output("maintenance", "list")
        assert "MOF-DB-01" in output("maintenance", "list", "--all")
        assert invoke("maintenance", "end", 1).exit_code != 0
        assert invoke("maintenance", "add", *words[:-1], " ").exit_code != 0
