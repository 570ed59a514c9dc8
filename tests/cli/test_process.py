"""Commands as processes of their own, which have loaded only what they need."""

from __future__ import annotations

import os
import pty
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
        waiting, _, bound = env.create_filed_plan()
        names = {"GUARDIA_DSN": database.app, "GUARDIA_PASSWORD": PASSWORD}
        process_env = environment(tmp_path, **names)
        reason = ("--reason", "시험")
        for words in (
            ("directive", waiting.sr_id, "priority", "p1", "--as", "eng", *reason),
            ("approve", waiting.sr_id, "--as", "lead", *reason, "--plan", bound),
            ("kill", *reason),
        ):
            done = run_process(*words, env=process_env)
            assert done.returncode == 0, done.stderr
        assert view.task(env.board, waiting.task_id).state is State.APPROVED
        assert kill_switch.active_kill_switch(env.board) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "state"), [("y", State.APPROVED), ("n", State.PENDING_APPROVAL)]
)
def test_a_person_at_a_terminal_is_asked_about_the_plan_that_is_shown(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, state: State
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        waiting, _, bound = env.create_filed_plan()
        names = {"GUARDIA_DSN": database.app, "GUARDIA_PASSWORD": PASSWORD}
        keyboard, terminal = pty.openpty()
        os.write(keyboard, f"{answer}\n".encode())
        words = ("approve", waiting.sr_id, "--as", "lead")
        try:
            done = run_process(*words, env=environment(tmp_path, **names), stdin=terminal)
        finally:
            os.close(keyboard)
            os.close(terminal)
        assert done.returncode == 0, done.stderr
        assert f"계획 {bound[:12]}" in done.stdout.split("?")[0]
        assert view.task(env.board, waiting.task_id).state is state
