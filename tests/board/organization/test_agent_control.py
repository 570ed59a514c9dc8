"""Agents that people let rest: what comes meanwhile waits for them."""

from __future__ import annotations

from board_env import BoardEnv

from guardia.board.execution import view
from guardia.board.organization import agent_control
from guardia.board.runs import beats


def test_a_request_that_comes_while_the_dispatcher_rests_waits_for_it(cast: BoardEnv) -> None:
    assert agent_control.pause(cast.desk, "dispatcher", "operator:cli")
    number = cast.received()
    assert beats.begin(cast.desk, "dispatcher") is None
    assert agent_control.resume(cast.desk, "dispatcher", "operator:cli")
    begun = beats.begin(cast.desk, "dispatcher")
    assert begun is not None
    found = beats.claim_task(cast.desk, begun)
    assert found is not None and found.sr_id == number
    assert view.task(cast.desk, found.task_id).state == "RECEIVED"


def test_pausing_twice_changes_nothing(cast: BoardEnv) -> None:
    assert agent_control.pause(cast.desk, "db-agent", "operator:cli")
    assert not agent_control.pause(cast.desk, "db-agent", "operator:cli")
