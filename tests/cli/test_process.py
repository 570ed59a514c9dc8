"""Commands as processes of their own, which have loaded only what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, environment, run_process
from page_env import PASSWORD

from guardia.board.core import kill_switch
from guardia.board.core.lifecycle import State
from guardia.board.execution import view


@pytest.mark.slow
def test_a_person_directs_decides_and_stops_from_a_shell(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        waiting, _, _ = env.create_filed_plan()
        names = {"GUARDIA_DSN": database.app, "GUARDIA_PASSWORD": PASSWORD}
        process_env = environment(tmp_path, **names)
        reason = ("--reason", "시험")
        for words in (
            ("directive", waiting.sr_id, "priority", "p1", "--as", "eng", *reason),
            ("approve", waiting.sr_id, "--as", "lead", *reason),
            ("kill", *reason),
        ):
            done = run_process(*words, env=process_env)
            assert done.returncode == 0, done.stderr
        assert view.task(env.board, waiting.task_id).state is State.APPROVED
        assert kill_switch.active_kill_switch(env.board) is not None
