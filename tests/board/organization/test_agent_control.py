"""Paused agents: new work waits for them."""

from __future__ import annotations

from board_env import BoardEnv

from guardia.board.core.actors import Actor
from guardia.board.execution import view
from guardia.board.organization import agent_control
from guardia.board.runs import beats


def test_a_request_waits_for_the_paused_dispatcher(env: BoardEnv) -> None:
    assert agent_control.pause(env.board, "dispatcher", Actor.operator("cli"))
    number = env.create_issue()
    assert beats.begin(env.board, "dispatcher") is None
    assert agent_control.resume(env.board, "dispatcher", Actor.operator("cli"))
    begun = beats.begin(env.board, "dispatcher")
    assert begun is not None
    found = beats.claim_task(env.board, begun)
    assert found is not None and found.sr_id == number
    assert view.task(env.board, found.task_id).state == "RECEIVED"


def test_pausing_twice_changes_nothing(env: BoardEnv) -> None:
    assert agent_control.pause(env.board, "db-agent", Actor.operator("cli"))
    assert not agent_control.pause(env.board, "db-agent", Actor.operator("cli"))
