"""One command over real SSH: its input, its output, its end, and no processes left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from remote_processes import processes_with, shell, unique_seconds
from waiting import AN_HOUR, PATIENCE, SettableClock, wait_until

from guardia.tools.command import Command, Script, Secret
from guardia.tools.output import ExitReason
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

pytestmark = pytest.mark.ssh

WORD = Script("test.word", 'printf "%s" "$1"')


class TestCommand:
    def test_its_streams_and_exit_status_arrive(self, connections: Connections, sshd: Any) -> None:
        command = shell("echo out; echo err >&2; exit 7")
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert (output.exit, output.stdout, output.stderr) == (7, "out\n", "err\n")
        assert output.exit_reason is ExitReason.EXITED
        assert not output.truncated

    @pytest.mark.parametrize(
        "text",
        ["", " ", "'", '"', "$(id)", "`id`", "a\nb\n", "한국어 ✓", "-n", "\\", "~", "*", "!!"],
    )
    def test_an_argument_arrives_unchanged(
        self, connections: Connections, sshd: Any, text: str
    ) -> None:
        output = connections.run(sshd.host(), Command.script(WORD, text), timeout=PATIENCE)
        assert output.stdout == text

    def test_its_input_arrives(self, connections: Connections, sshd: Any) -> None:
        long = "0123456789abcdef" * 20_000
        command = Command.of("sha256sum").with_input(long, Secret("끝"))
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        expected = subprocess.run(
            ["sha256sum"], input=(long + "끝").encode(), capture_output=True, check=True
        )
        assert output.stdout == expected.stdout.decode()

    def test_unread_input_is_ignored(self, connections: Connections, sshd: Any) -> None:
        command = Command.of("echo", "done").with_input("x" * 500_000)
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert (output.exit, output.stdout) == (0, "done\n")

    def test_without_input_stdin_is_empty(self, connections: Connections, sshd: Any) -> None:
        assert connections.run(sshd.host(), Command.of("cat"), timeout=PATIENCE).exit == 0

    def test_it_is_not_immune_to_broken_pipes(self, connections: Connections, sshd: Any) -> None:
        output = connections.run(
            sshd.host(), shell("kill -PIPE $$; echo survived"), timeout=PATIENCE
        )
        assert (output.exit, output.stdout) == (128 + signal.SIGPIPE, "")

    def test_a_daemon_survives_and_does_not_block_the_command(
        self, connections: Connections, sshd: Any
    ) -> None:
        mark = unique_seconds()
        output = connections.run(
            sshd.host(), shell(f"sleep {mark} & echo started"), timeout=PATIENCE
        )
        try:
            assert output.stdout == "started\n"
            # It returns although the daemon, whose sleep exceeds the timeout, is still alive.
            assert (output.exit, output.exit_reason) == (0, ExitReason.EXITED)
            assert processes_with(mark)
        finally:
            for pid in processes_with(mark):
                os.kill(pid, signal.SIGKILL)

    def test_an_account_without_a_shell_is_reported(self, start_sshd: Callable[..., Any]) -> None:
        server = start_sshd(more='ForceCommand echo "이 계정은 쓸 수 없습니다."; exit 1')
        with Connections(server) as connections:
            output = connections.run(server.host(), Command.of("true"), timeout=PATIENCE)
        assert (output.exit, output.stdout) == (1, "이 계정은 쓸 수 없습니다.\n")


class TestOutput:
    def test_it_is_bounded_and_the_command_still_succeeds(self, sshd: Any) -> None:
        with Connections(sshd, TransportLimits(output=1000)) as connections:
            command = shell("yes 1234567 | head -c 30000000; echo end >&2; exit 3")
            output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert output.truncated
        assert len(output.stdout) == 1000
        assert (output.exit, output.stderr) == (3, "end\n")

    def test_binary_output_is_sanitized(self, connections: Connections, sshd: Any) -> None:
        command = shell(r"printf 'a\000b\033[31mred\033[0m\377\r\n\342\200\256x\n'")
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert output.stdout == "abred\\xff\nx\n"

    def test_marks_of_another_command_are_text(self, connections: Connections, sshd: Any) -> None:
        forged = r"printf '\0360123456789abcdef:0:0:1\036'; printf '\036'; echo after"
        output = connections.run(sshd.host(), shell(forged), timeout=PATIENCE)
        assert output.stdout == "0123456789abcdef:0:0:1after\n"

    def test_it_is_passed_on_while_the_command_runs(
        self, connections: Connections, sshd: Any, tmp_path: Path
    ) -> None:
        told: list[tuple[str, str]] = []

        def tell(stream: str, text: str) -> None:
            told.append((stream, text))
            if len(told) == 2:
                (tmp_path / "told").touch()

        waits = 'until [ -e "$1" ]; do sleep 0.02; done'  # ends because the output arrived
        output = connections.run(
            sshd.host(),
            shell(f"echo password=hunter2; echo two >&2; {waits}; echo three", tmp_path / "told"),
            timeout=PATIENCE,
            on_output=tell,
        )
        assert output.exit_reason is ExitReason.EXITED
        assert Counter(stream for stream, _ in told) == {"stdout": 2, "stderr": 1}
        assert "".join(text for stream, text in told if stream == "stdout") == (
            "password=***\nthree\n"
        )
        assert told[-1] == ("stdout", "three\n")

    def test_a_failing_callback_ends_the_command(self, connections: Connections, sshd: Any) -> None:
        mark = unique_seconds()

        def fail(_stream: str, _text: str) -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            command = shell(f"echo go; sleep {mark}")
            connections.run(sshd.host(), command, timeout=PATIENCE, on_output=fail)
        assert wait_until(lambda: not processes_with(mark))


class TestEnd:
    CROWD = """
        for i in 1 2 3 4 5; do sleep $1 & done
        for i in 1 2 3 4 5; do (trap '' TERM HUP INT; while :; do sleep $1; done) & done
        for i in 1 2 3 4 5; do timeout 900 sleep $1 & done
        for i in 1 2 3 4 5; do sleep $1 & kill -STOP $!; done
        echo ready; wait"""

    @pytest.mark.slow
    def test_cancelling_ends_every_process_and_confirms_it(
        self, connections: Connections, sshd: Any
    ) -> None:
        mark, cancel = unique_seconds(), threading.Event()
        counted = []

        def cancel_when_ready(_stream: str, text: str) -> None:
            if "ready" not in text:
                return  # bash reports the children that the cancel killed
            assert wait_until(lambda: len(processes_with(mark)) >= 20)
            counted.append(len(processes_with(mark)))
            cancel.set()

        output = connections.run(
            sshd.host(),
            shell(self.CROWD, mark),
            timeout=PATIENCE,
            cancel=cancel,
            on_output=cancel_when_ready,
        )
        assert processes_with(mark) == []
        assert counted[0] >= 20
        assert wait_until(lambda: not processes_with(mark, shell_too=True))
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.exit is None
        assert output.is_confirmed_gone

    @pytest.mark.slow
    def test_a_timeout_ends_every_process_and_confirms_it(
        self, connections: Connections, sshd: Any, clock: SettableClock
    ) -> None:
        mark = unique_seconds()

        def run_out_when_ready(_stream: str, text: str) -> None:
            if "ready" in text:
                assert wait_until(lambda: len(processes_with(mark)) >= 20)
                clock.ahead += AN_HOUR

        command = shell(self.CROWD, mark)
        output = connections.run(
            sshd.host(), command, timeout=AN_HOUR, on_output=run_out_when_ready
        )
        assert processes_with(mark) == []
        assert output.exit_reason is ExitReason.TIMED_OUT
        assert output.is_confirmed_gone
        assert output.stdout == "ready\n"

    def test_a_cancel_is_noticed_without_output(self, connections: Connections, sshd: Any) -> None:
        cancel, mark = threading.Event(), unique_seconds()
        with ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(
                connections.run, sshd.host(), command, timeout=AN_HOUR, cancel=cancel
            )
            assert wait_until(lambda: processes_with(mark))
            cancel.set()
            output = running.result(PATIENCE)
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.is_confirmed_gone and processes_with(mark) == []

    def test_a_command_cancelled_before_its_start_never_starts(
        self, connections: Connections, sshd: Any, tmp_path: Path
    ) -> None:
        cancel = threading.Event()
        cancel.set()
        command = Command.of("touch", str(tmp_path / "began"))
        output = connections.run(sshd.host(), command, timeout=PATIENCE, cancel=cancel)
        assert output.exit_reason is ExitReason.CANCELLED
        assert not (tmp_path / "began").exists()

    def test_a_command_that_exits_before_the_cancel_has_exited(
        self, connections: Connections, sshd: Any
    ) -> None:
        cancel = threading.Event()
        output = connections.run(
            sshd.host(),
            shell("echo done"),
            timeout=PATIENCE,
            cancel=cancel,
            on_output=lambda _stream, _text: cancel.set(),
        )
        assert output.stdout == "done\n"
        assert output.exit_reason in (ExitReason.EXITED, ExitReason.CANCELLED)
        assert output.is_confirmed_gone

    def test_closing_the_connections_ends_running_commands(self, sshd: Any) -> None:
        mark = unique_seconds()
        connections = Connections(sshd)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(
                connections.run, sshd.host(), Command.of("sleep", mark), timeout=PATIENCE
            )
            assert wait_until(lambda: processes_with(mark))
            connections.close()
            assert running.result(PATIENCE).exit_reason is ExitReason.LOST
        assert wait_until(lambda: not processes_with(mark))

    @pytest.mark.slow
    def test_killing_the_client_ends_the_command(self, sshd: Any) -> None:
        mark = unique_seconds()
        client = f"""
import sys
from pathlib import Path
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections
class Keys:
    def get(self, name):
        return Path({str(sshd.folder)!r}, name).read_text()
host = Host.model_validate_json(sys.argv[1])
Connections(Keys()).run(host, Command.of("sleep", {mark!r}), timeout=600)
"""
        process = subprocess.Popen([sys.executable, "-c", client, sshd.host().model_dump_json()])
        try:
            assert wait_until(lambda: any(pid != process.pid for pid in processes_with(mark)))
        finally:
            process.kill()
            process.wait()
        assert wait_until(lambda: not processes_with(mark))
