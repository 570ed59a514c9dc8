"""What a command started is found and ended, however it hides; a declared service stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from remote_processes import break_connections, processes_with, shell, unique_seconds
from waiting import AN_HOUR, PATIENCE, wait_until

from guardia.tools.command import Command
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport import remote_scripts, supervised_shell
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

HIDING = {
    "own session": "setsid sleep $1 & wait",
    "forked twice": "(setsid sh -c 'sleep $1 & :' - $1 &); sleep $1",
    "environment cleared, parent alive": "env -i setsid sleep $1 & wait",
    "environment and standard streams cleared": (
        "env -i setsid sleep $1 >/dev/null 2>&1 </dev/null & wait"
    ),
    "child of a child in its own session": "setsid bash -c 'env -i setsid sleep $1 & wait' - $1",
    "deaf to TERM": "setsid bash -c \"trap '' TERM HUP; while :; do sleep $1; done\" & wait",
    "stopped": "setsid sleep $1 & p=$!; sleep 0.5; kill -STOP $p; wait",
    "nohup": "nohup sleep $1 >/dev/null 2>&1 & wait",
}


@pytest.fixture
def mark() -> Iterator[str]:
    """A number of seconds that no other process sleeps for; what is left of it ends."""
    found = unique_seconds()
    yield found
    for pid in processes_with(found):
        os.kill(pid, signal.SIGKILL)


def cancelled(connections: Connections, host: Any, command: Command, mark: str) -> Output:
    """Run a command and cancel it once a sleep of `mark` runs."""
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(connections.run, host, command, timeout=2 * AN_HOUR, cancel=cancel)
        assert wait_until(lambda: any_sleep(mark) or running.done())
        cancel.set()
        return running.result(PATIENCE)


def any_sleep(mark: str) -> list[int]:
    """Return the sleeps of `mark`, not the shells that have it among their words."""
    found = []
    for pid in processes_with(mark):
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == b"sleep":
                found.append(pid)
    return found


@pytest.fixture(params=["control groups", "no control groups"])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether commands may make a control group; False also where the account may not."""
    if request.param == "no control groups":
        blind = remote_scripts.SUPERVISE.replace("/sys/fs/cgroup", "/nonexistent")
        monkeypatch.setattr(supervised_shell, "SUPERVISE", blind)
        return False
    # Below the group of this process, which sshd inherits; that group may have been removed.
    roots = {"": ("", "/unified"), "name=systemd": ("/systemd",)}
    own = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    places = [(root, path) for _, kind, path in own for root in roots.get(kind, ())]
    return any(os.access(f"/sys/fs/cgroup{r}{p}/cgroup.procs", os.W_OK) for r, p in places)


@pytest.mark.slow
@pytest.mark.parametrize("how", HIDING)
@pytest.mark.usefixtures("groups")
def test_a_child_that_hides_is_ended(
    connections: Connections, sshd: Any, mark: str, how: str
) -> None:
    output = cancelled(connections, sshd.host(), shell(HIDING[how], mark), mark)
    assert output.exit_reason is ExitReason.CANCELLED
    assert any_sleep(mark) == []
    assert (output.left, output.unclear, output.kept) == (0, 0, 0)
    assert output.is_confirmed_gone


@pytest.mark.slow
def test_a_child_in_a_session_of_its_own_is_found_after_the_connection_broke(
    own: Any, mark: str
) -> None:
    """The shell has ended its session; the look from a second connection counts what is left."""
    with Connections(own) as connections, ThreadPoolExecutor(1) as threads:
        command = shell("setsid sleep $1 & sleep $1", mark)
        running = threads.submit(connections.run, own.host(), command, timeout=AN_HOUR)
        assert wait_until(lambda: len(any_sleep(mark)) == 2)
        break_connections(own.host())
        output = running.result(PATIENCE)
    assert output.exit_reason is ExitReason.LOST
    assert output.left == 0
    assert any_sleep(mark) == []


def test_an_orphan_with_an_empty_environment_is_said_to_be_unclear(
    connections: Connections, sshd: Any, mark: str, groups: bool
) -> None:
    """Nothing ties it to the command any more: it is not ended, and not called gone either."""
    text = "(env -i setsid sh -c 'sleep $1 & :' - $1 &); sleep 0.2; sleep $1"
    output = cancelled(connections, sshd.host(), shell(text, mark), mark)
    assert output.left == 0
    if groups:
        assert output.is_confirmed_gone and any_sleep(mark) == []
    else:
        assert output.unclear >= 1 and not output.is_confirmed_gone


def test_the_next_claimant_ends_a_child_that_outlived_its_shell(
    connections: Connections, sshd: Any, mark: str
) -> None:
    """A command that exited by itself leaves its daemon; a claimant of the same step ends it."""
    tag = "guardia:7:0123456789ab:3:do"
    command = shell("setsid sleep $1 >/dev/null 2>&1 & echo up", mark)
    guard = FenceGuard(tag, lambda: None)
    done = connections.run(sshd.host(), command, timeout=PATIENCE, fence_guard=guard)
    assert done.exit == 0
    assert wait_until(lambda: any_sleep(mark))
    assert connections.end(sshd.host(), tag)
    assert any_sleep(mark) == []


class TestLeavesChildren:
    def test_the_script_ends_and_its_service_stays(
        self, connections: Connections, sshd: Any, mark: str
    ) -> None:
        """A control script that never returns, as one that follows a log."""
        text = "bash -c 'nohup sleep $1 >/dev/null 2>&1 </dev/null & sleep 0.$1 & wait; :' - $1; :"
        command = shell(text, mark).leaving_children()
        output = cancelled(connections, sshd.host(), command, mark)
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.is_confirmed_gone
        assert output.kept >= 1
        assert any_sleep(mark)
        assert wait_until(lambda: not [p for p in processes_with(mark) if p not in any_sleep(mark)])

    def test_no_later_look_ends_the_service(
        self, connections: Connections, sshd: Any, mark: str
    ) -> None:
        tag = "guardia:7:0123456789ab:4:do"
        command = shell("setsid sleep $1 >/dev/null 2>&1 & echo up", mark).leaving_children()
        guard = FenceGuard(tag, lambda: None)
        done = connections.run(sshd.host(), command, timeout=PATIENCE, fence_guard=guard)
        assert (done.exit, done.stdout) == (0, "up\n")
        assert wait_until(lambda: any_sleep(mark))
        assert connections.end(sshd.host(), tag)
        assert any_sleep(mark)
