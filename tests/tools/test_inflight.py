"""Commands in flight when their process is about to end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from remote_processes import processes_with, shell, unique_seconds
from waiting import AN_HOUR, PATIENCE, wait_until

from guardia.board.core.claims import Claim
from guardia.errors import Interrupted
from guardia.tools.inflight import HostReport, InFlightCommands
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.connections import Connections

HOLD = Claim(task_id=1, sr_id=1, agent_id="a", run_id=1, fence=1)


def test_close_ends_running_commands_and_refuses_new_ones() -> None:
    flight = InFlightCommands()
    with flight.track(HOLD, "A") as first, flight.track(HOLD, "A") as second:
        assert flight.active_count() == 2
        flight.close()
        assert first.cancel.is_set() and second.cancel.is_set()
        with pytest.raises(Interrupted), flight.track(HOLD, "A"):
            pass
    assert flight.active_count() == 0


@pytest.mark.slow
def test_stop_ends_everything_at_once_and_accepts_nothing_until_allowed() -> None:
    flight = InFlightCommands()
    with ThreadPoolExecutor(2) as threads, flight.track(HOLD, "A") as silent:

        def obey(output: Output) -> None:
            with flight.track(HOLD, "B") as tracked:
                started.release()
                assert tracked.cancel.wait(PATIENCE)
                tracked.end(output)

        started = threading.Semaphore(0)
        threads.submit(obey, Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED, kept=2))
        threads.submit(obey, Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED, left=1))
        assert started.acquire(timeout=PATIENCE) and started.acquire(timeout=PATIENCE)
        found = flight.stop(1.0)
        with pytest.raises(Interrupted), flight.track(HOLD, "A"):
            pass
        assert silent.cancel.is_set()
    assert found.hosts == (
        HostReport("A", commands=1, unanswered=1, left=0, unclear=0, kept=0),
        HostReport("B", commands=2, unanswered=0, left=1, unclear=0, kept=2),
    )
    assert not found.is_clear and found.commands == 3
    flight.allow()
    with flight.track(HOLD, "A"):
        pass
    assert flight.stop(1.0).hosts == ()


@pytest.mark.slow
@pytest.mark.ssh
def test_stop_counts_what_is_left_on_a_real_host(connections: Connections, sshd: Any) -> None:
    """Without a board: the commands of a process end though nothing can be recorded."""
    flight, mark = InFlightCommands(), unique_seconds()

    def run(text: str) -> None:
        with flight.track(HOLD, "TEST-01") as tracked:
            command = shell(text, mark)
            tracked.end(
                connections.run(sshd.host(), command, timeout=AN_HOUR, cancel=tracked.cancel)
            )

    hidden = "setsid sleep $1 & (setsid sh -c 'sleep $1 & :' - $1 &); wait; sleep $1"
    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(run, hidden) for _ in range(8)]
        assert wait_until(lambda: len(processes_with(mark)) >= 24)
        found = flight.stop(PATIENCE)
        for each in running:
            each.result(PATIENCE)
    (host,) = found.hosts
    assert (host.commands, host.unanswered, host.left, host.unclear) == (8, 0, 0, 0)
    assert found.is_clear
    assert wait_until(lambda: not processes_with(mark, shell_too=True))
