"""A worker process that is killed while its command runs on a server; see also `test_chaos`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from full_stack import FullStack, open_full_stack, seed_full_stack
from waiting import PATIENCE, wait_until

from guardia.board.core.lifecycle import State
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.slow

TEXT = "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다"


@contextmanager
def worker(dsn: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `guardia worker` as a process of its own."""
    environment = {**os.environ, "GUARDIA_DSN": dsn, "GUARDIA_HOME": str(home)}
    with (home / "worker.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "guardia", "worker"], env=environment, stdout=log, stderr=log
        )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@pytest.fixture
def stack(database: Any, practice: RunningFleet, tmp_path: Path) -> Iterator[FullStack]:
    seed_full_stack(database.owner, database.app, practice, tmp_path / "secrets")
    with open_full_stack(database.app, practice, tmp_path / "secrets") as found:
        yield found


def test_another_worker_takes_over_after_a_kill_during_a_command(
    stack: FullStack, database: Any, tmp_path: Path
) -> None:
    stack.fleet.fault("hung-was")
    sr_id = stack.request(TEXT)
    with worker(database.app, tmp_path) as first:
        assert wait_until(lambda: stack.state(sr_id) is State.PENDING_APPROVAL), "no plan"
        stack.decide(sr_id)
        assert wait_until(lambda: stack.changes(sr_id) == ["service.restart"]), "no restart"
        first.send_signal(signal.SIGKILL)
        first.wait()
    before = len(stack.entries(sr_id))
    with worker(database.app, tmp_path):
        assert wait_until(lambda: len(stack.entries(sr_id)) > before), "not taken over"
        # The restart that had begun finishes on the server.
        stack.fleet.heal("hung-was")
        assert wait_until(lambda: stack.state(sr_id) is not State.IN_PROGRESS), "not ended"
    assert stack.changes(sr_id) == ["service.restart"]
    assert "found_done" in [e.kind for e in stack.entries(sr_id)]
    assert stack.state(sr_id) is State.COMPLETED
    assert stack.fleet.commands("MOF-WAS-01") == []
