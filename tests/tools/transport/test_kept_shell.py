"""A shell that waits for the next read: taken only if nothing of the last one is left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from remote_processes import processes_with, shell, unique_seconds
from waiting import AN_HOUR, PATIENCE, wait_until

from guardia.tools.command import Command, Script
from guardia.tools.output import ExitReason
from guardia.tools.transport import remote_scripts, supervised_shell
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.supervised_shell import FenceGuard, SupervisedCommand

pytestmark = pytest.mark.ssh

SHORT = 100.0
"""Seconds of a command that the shell itself bounds."""
SHELL_ID = Script("test.shell", 'printf "%s" "${GUARDIA_RUN-}${GUARDIA_LEFT_BY-}"')


@pytest.fixture
def mark() -> Iterator[str]:
    """A number of seconds that no other process sleeps for; what is left of it ends."""
    found = unique_seconds()
    yield found
    for pid in processes_with(found):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def kept(sshd: Any) -> Iterator[Connections]:
    """Connections of this test alone."""
    with Connections(sshd) as connections:
        yield connections


def shell_of_read(connections: Connections, host: Any) -> str:
    """Run a read and return the id of the shell that supervised it."""
    output = connections.run(host, Command.script(SHELL_ID), timeout=SHORT)
    assert (output.exit, output.stderr) == (0, "")
    return output.stdout


def processes_of(shell_id: str) -> list[int]:
    """Return the shell with this id, and what watches over it."""
    return processes_with(shell_id, shell_too=True)


class TestReuse:
    def test_reads_of_any_form_follow_each_other_in_one_shell(
        self, kept: Connections, sshd: Any
    ) -> None:
        first = shell_of_read(kept, sshd.host())
        lines = kept.run(
            sshd.host(), shell("cat; printf 'a\\n\\nb\\\\c'; echo e >&2; exit 9"), timeout=PATIENCE
        )
        assert (lines.exit, lines.stdout, lines.stderr) == (9, "a\n\nb\\c", "e\n")
        word = Script("test.word", 'printf "%s" "$1"')
        for text in ("", " a  b ", "a\nb\n\n", "$(id) `id` '\" \\ !! ~ *", "-n\t\r"):
            arrived = kept.run(sshd.host(), Command.script(word, text), timeout=PATIENCE)
            assert arrived.stdout == text.replace("\r", "")  # the output is sanitized
        broken = shell("kill -PIPE $$; echo survived")
        assert kept.run(sshd.host(), broken, timeout=PATIENCE).exit == 128 + signal.SIGPIPE
        assert shell_of_read(kept, sshd.host()) == first

    def test_parallel_reads_have_shells_of_their_own(self, kept: Connections, sshd: Any) -> None:
        shell_of_read(kept, sshd.host())
        waits = Script("test.shell", 'sleep 0.3; printf "%s" "$GUARDIA_RUN"')
        with ThreadPoolExecutor(4) as threads:
            running = [
                threads.submit(kept.run, sshd.host(), Command.script(waits), timeout=PATIENCE)
                for _ in range(4)
            ]
            assert len({one.result(PATIENCE).stdout for one in running}) == 4

    def test_what_must_not_share_a_shell_does_not(self, kept: Connections, sshd: Any) -> None:
        """A change is found by the word of its own shell; an input would have to be read there."""
        first = shell_of_read(kept, sshd.host())
        read = Command.script(SHELL_ID)
        guard = FenceGuard("guardia:7:0123456789ab:9:do", lambda: None)
        change = kept.run(sshd.host(), read, timeout=PATIENCE, fence_guard=guard)
        others = (read.with_input("x"), read.leaving_children(), Command.script(SHELL_ID, "한글"))
        outputs = [change, *(kept.run(sshd.host(), one, timeout=PATIENCE) for one in others)]
        assert first not in [output.stdout for output in outputs]
        assert shell_of_read(kept, sshd.host()) == first


class TestLeftovers:
    @pytest.mark.parametrize(
        "how",
        ["sleep $1 &", "env -i setsid sleep $1 &", "(setsid sh -c 'sleep $1 & :' - $1 &);"],
        ids=["a child", "own session, no environment", "forked twice"],
    )
    @pytest.mark.parametrize("groups", [True, False], ids=["", "no control groups"])
    def test_the_shell_of_a_command_that_left_a_process_is_not_used_again(
        self,
        kept: Connections,
        sshd: Any,
        mark: str,
        how: str,
        groups: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if not groups:
            blind = remote_scripts.SUPERVISE.replace("/sys/fs/cgroup", "/nonexistent")
            monkeypatch.setattr(supervised_shell, "SUPERVISE", blind)
        first = shell_of_read(kept, sshd.host())
        output = kept.run(sshd.host(), shell(f"{how} echo up", mark), timeout=PATIENCE)
        assert output.stdout == "up\n"
        assert shell_of_read(kept, sshd.host()) != first
        assert wait_until(lambda: processes_with(mark))  # what exits by itself leaves its daemon

    def test_a_shell_that_cannot_know_is_not_used_again(
        self, kept: Connections, sshd: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unknowing = remote_scripts.SUPERVISE.replace("*/children", "*/unknown")
        assert unknowing != remote_scripts.SUPERVISE
        monkeypatch.setattr(supervised_shell, "SUPERVISE", unknowing)
        assert shell_of_read(kept, sshd.host()) != shell_of_read(kept, sshd.host())


class TestEnd:
    @pytest.mark.parametrize("how", ["sleep $1", "setsid sleep $1 & wait"])
    def test_a_cancel_ends_all_of_a_later_command_too(
        self, kept: Connections, sshd: Any, mark: str, how: str
    ) -> None:
        shell_of_read(kept, sshd.host())
        cancel = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            command = shell(how, mark)
            running = threads.submit(kept.run, sshd.host(), command, timeout=AN_HOUR, cancel=cancel)
            assert wait_until(lambda: processes_with(mark))
            cancel.set()
            output = running.result(PATIENCE)
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.is_confirmed_gone
        assert processes_with(mark) == []

    def test_a_shell_that_was_killed_is_replaced(self, kept: Connections, sshd: Any) -> None:
        first = shell_of_read(kept, sshd.host())
        for pid in processes_of(first):
            os.kill(pid, signal.SIGKILL)
        assert shell_of_read(kept, sshd.host()) != first

    def test_no_shell_outlives_its_connection(self, sshd: Any) -> None:
        with Connections(sshd) as connections:
            waiting = shell_of_read(connections, sshd.host())
            assert processes_of(waiting)
        assert wait_until(lambda: not processes_of(waiting))

    def test_a_waiting_shell_gives_its_session_to_a_change(
        self, start_sshd: Callable[..., Any]
    ) -> None:
        server = start_sshd(more="MaxSessions 1")
        with Connections(server) as connections:
            shell_of_read(connections, server.host())
            guard = FenceGuard("guardia:7:0123456789ab:9:do", lambda: None)
            change = connections.run(
                server.host(), Command.of("true"), timeout=PATIENCE, fence_guard=guard
            )
            assert change.exit == 0

    @pytest.mark.slow
    def test_a_short_command_is_bounded_even_if_the_network_is_gone(
        self, kept: Connections, sshd: Any, mark: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        quick = remote_scripts.SUPERVISE.replace("sleep 10", "sleep 0.1")
        assert quick != remote_scripts.SUPERVISE
        monkeypatch.setattr(supervised_shell, "SUPERVISE", quick)
        for _ in range(2):  # as the first command of a shell, and as a later one
            output = kept.run(sshd.host(), Command.of("sleep", mark), timeout=SHORT)
            assert output.exit is None
            assert processes_with(mark) == []
            shell_of_read(kept, sshd.host())


def test_a_long_command_has_a_session_of_its_own() -> None:
    assert SupervisedCommand(Command.of("echo", "x" * 5000), 10).fits_kept_shell
    assert not SupervisedCommand(Command.of("echo", "x" * 9000), 10).fits_kept_shell
