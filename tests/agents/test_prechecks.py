"""Pre-checks of a person's plan are run by its agent's beat, before anybody approves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from board_env import LEAD, SERVER, TERMINATE, action, assignment, plan, replace_plan

from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, tasks, view
from guardia.board.tracker import issue_page
from guardia.tools import planning


@pytest.fixture
def agents_env(database: Any, tmp_path: Path) -> Iterator[AgentsEnv]:
    """Return the board with its team; no server can be reached."""
    with open_agents_env(database.owner, database.app, tmp_path / "keys") as found:
        yield found


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_said_and_asked_once(agents_env: AgentsEnv) -> None:
    env = agents_env.env
    env.create_issue()
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    claim = env.claim("db-agent")
    tasks.file_plan(env.board, claim, plan())
    args = {**TERMINATE.args, "pid": 9}
    other = planning.propose(TERMINATE.model_copy(update={"args": args}), SERVER)
    replace_plan(env.board, claim.task_id, plan("MAINTENANCE", other), LEAD)
    [before] = issue_page.get_issue(env.board, LEAD, claim.sr_id).tasks
    assert before.versions[-1].checks_due and before.versions[-1].checks is None
    agents_env.work()
    [after] = issue_page.get_issue(env.board, LEAD, claim.sr_id).tasks
    edited = after.versions[-1]
    assert edited.checks is not None and not edited.checks_due
    assert [check.holds for check in edited.checks] == [None] and edited.checks[0].found
    assert view.task(env.board, claim.task_id).state is State.PENDING_APPROVAL
    assert action().precheck == (), "a plan without pre-checks has none to run"
