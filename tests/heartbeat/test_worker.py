"""A worker process that is killed while its command runs on a server; see also `test_chaos`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import environment, running_worker
from full_stack import FullStack, open_full_stack, seed_full_stack
from waiting import wait_until

from guardia.board.core.lifecycle import State
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.slow

TEXT = "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다"


@pytest.fixture
def stack(database: Any, practice: RunningFleet, tmp_path: Path) -> Iterator[FullStack]:
    seed_full_stack(database.owner, database.app, practice, tmp_path / "secrets")
    with open_full_stack(database.app, practice, tmp_path / "secrets") as found:
        yield found


def test_another_worker_takes_over_from_one_that_was_killed_while_a_command_ran(
    stack: FullStack, database: Any, tmp_path: Path
) -> None:
    stack.fleet.fault("hung-was")
    sr_id = stack.request(TEXT)
    env, worker_log = environment(tmp_path, GUARDIA_DSN=database.app), tmp_path / "worker.log"
    with running_worker(env, worker_log) as first:
        assert wait_until(lambda: stack.state(sr_id) is State.PENDING_APPROVAL), "no plan"
        stack.decide(sr_id)
        assert wait_until(lambda: stack.changes(sr_id) == ["service.restart"]), "no restart"
        first.send_signal(signal.SIGKILL)
        first.wait()
    before = len(stack.entries(sr_id))
    with running_worker(env, worker_log):
        assert wait_until(lambda: len(stack.entries(sr_id)) > before), "not taken over"
        # What the restart had begun comes to its end on the server.
        stack.fleet.heal("hung-was")
        assert wait_until(lambda: stack.state(sr_id) is not State.IN_PROGRESS), "not ended"
    assert stack.changes(sr_id) == ["service.restart"]
    assert "found_done" in [e.kind for e in stack.entries(sr_id)]
    assert stack.state(sr_id) is State.COMPLETED
    assert stack.fleet.commands("MOF-WAS-01") == []
