"""The supervising shell, run by every shell that a server may have."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import AN_HOUR, PATIENCE

from guardia.tools.command import Command, Secret
from guardia.tools.transport.output_stream import (
    OutputStream,
    ShellExit,
    find_exit,
    find_session,
)
from guardia.tools.transport.supervised_shell import SupervisedCommand

SHELLS = ["dash", "bash"]


def start(
    supervised: SupervisedCommand, shell: str, errors: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """Start a login shell, as sshd does, which runs the supervising shell."""
    line = supervised.line.replace("exec sh -c", f"exec {shell} -c", 1)
    pipe = subprocess.PIPE
    process = subprocess.Popen([shell, "-c", line], stdin=pipe, stdout=pipe, stderr=errors)
    assert process.stdin
    process.stdin.write(supervised.payload)
    process.stdin.flush()
    return process


def first_output(supervised: SupervisedCommand, process: subprocess.Popen[bytes]) -> bytes:
    """Return the first line of the command itself."""
    assert process.stdout
    begun, _, line = process.stdout.readline().rpartition(b"\x1e")
    assert begun == f"\x1e{supervised.marker}:begin".encode()
    return line


def received(
    supervised: SupervisedCommand, stdout: bytes, stderr: bytes
) -> tuple[OutputStream, OutputStream]:
    streams = OutputStream(supervised.marker, 10_000), OutputStream(supervised.marker, 10_000)
    for stream, data in zip(streams, (stdout, stderr), strict=True):
        for at in range(0, len(data), 7):  # in chunks, as from a network
            stream.feed(data[at : at + 7])
    return streams


def live_processes() -> dict[int, int]:
    """Map every process to its session, from /proc; zombies do not count."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(") ")[2].split()
            if fields[0] != "Z":
                found[int(entry.parent.name)] = int(fields[3])
    return found


def command_line(path: Path) -> bytes:
    """Return the command line of a process; empty if it has just ended."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("shell", SHELLS)
class TestShell:
    def test_exit_status_and_output_come_through(self, shell: str) -> None:
        supervised = SupervisedCommand(
            Command.of("sh", "-c", "cat; echo err >&2; exit 9").with_input("in"), 10
        )
        process = start(supervised, shell)
        # Its end is reported while this side is still open: the client need not close first.
        assert process.wait(PATIENCE) == 0
        assert process.stdout and process.stderr
        out, err = received(supervised, process.stdout.read(), process.stderr.read())
        process.communicate()
        assert find_exit(err) == ShellExit(9, killed=False, left=0, unclear=0, kept=0)
        assert find_session(err) > 0
        assert (out.finish(), err.finish()) == ("in", "err\n")
        assert out.marks == ["begin", "end"]

    def test_a_signal_is_reported_as_128_plus_its_number(self, shell: str) -> None:
        supervised = SupervisedCommand(Command.of("sh", "-c", "kill -KILL $$"), 10)
        process = start(supervised, shell)
        process.wait(PATIENCE)
        _, err = received(supervised, *process.communicate())
        assert find_exit(err) == ShellExit(
            128 + signal.SIGKILL, killed=False, left=0, unclear=0, kept=0
        )

    @pytest.mark.slow
    def test_closing_the_input_ends_the_session(self, shell: str) -> None:
        stubborn = "(trap '' TERM; sleep 3600) & timeout 3600 sleep 3600 &"
        script = f"{stubborn} sleep 3600 & kill -STOP $!; echo up; wait"
        supervised = SupervisedCommand(Command.of("bash", "-c", script), 60)
        process = start(supervised, shell)
        assert first_output(supervised, process) == b"up\n"
        _, err = received(supervised, *process.communicate(timeout=PATIENCE))
        assert find_session(err) not in live_processes().values()
        end = find_exit(err)
        assert (
            end and end.killed and (end.left, end.unclear) == (0, 0)
        )  # and not by the ends of those sleeps

    def test_closing_during_the_input_never_starts_the_command(
        self, shell: str, tmp_path: Path
    ) -> None:
        command = Command.of("touch", str(tmp_path / "began")).with_input("x" * 1000)
        supervised = SupervisedCommand(command, 10)
        line = supervised.line
        pipe = subprocess.PIPE
        process = subprocess.Popen([shell, "-c", line], stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin
        process.stdin.write(supervised.payload[:100])
        process.communicate(timeout=PATIENCE)
        assert not (tmp_path / "began").exists()

    def test_a_command_ends_without_a_reader(self, shell: str) -> None:
        """The client is gone before the shell prints anything: SIGPIPE must not stop the shell."""
        supervised = SupervisedCommand(
            Command.of("sh", "-c", "echo $$; exec sleep 3600"), 2 * AN_HOUR
        )
        broken, errors = os.pipe()
        os.close(broken)
        process = start(supervised, shell, errors)
        os.close(errors)
        assert process.stdout and process.stdin
        pid = int(first_output(supervised, process))
        process.stdout.close()
        process.stdin.close()
        process.wait(PATIENCE)
        assert pid not in live_processes()

    @pytest.mark.slow
    def test_it_is_bounded_even_with_an_open_input(self, shell: str) -> None:
        supervised = SupervisedCommand(Command.of("sleep", "3600"), 10)
        line = supervised.line.replace(" 20 0 ", " 1 0 ")  # 10 s and the grace of 10 s, shortened
        assert line != supervised.line
        process = subprocess.Popen([shell, "-c", line], stdin=subprocess.PIPE, stdout=-1, stderr=-1)
        assert process.wait(PATIENCE) == 0
        process.communicate()

    def test_a_secret_is_on_no_command_line(self, shell: str) -> None:
        secret = "correct-horse-battery"
        supervised = SupervisedCommand(
            Command.of("sh", "-c", "cat; echo; sleep 3600").with_input(Secret(secret)), 2 * AN_HOUR
        )
        process = start(supervised, shell)
        assert first_output(supervised, process) == f"{secret}\n".encode()
        try:
            lines = [command_line(p) for p in Path("/proc").glob("[0-9]*/cmdline")]
        finally:
            process.communicate(timeout=PATIENCE)
        encoded = supervised.payload
        assert not [line for line in lines if secret.encode() in line or encoded in line]


class TestGoneCheck:
    @pytest.mark.slow
    def test_a_living_session_is_found_and_a_dead_one_is_not(self) -> None:
        supervised = SupervisedCommand(Command.of("sleep", "3600"), 2 * AN_HOUR)
        process = start(supervised, "sh")
        assert process.stderr
        _, err = received(supervised, b"", os.read(process.stderr.fileno(), 100))
        session = find_session(err)
        assert session > 0
        look = ["bash", "-c", supervised.gone_check(session, 60).render()]
        unknown = ["bash", "-c", supervised.gone_check(0, 60).render()]
        assert int(subprocess.check_output(look).split()[0]) > 0
        assert int(subprocess.check_output(unknown).split()[0]) > 0
        process.communicate(timeout=PATIENCE)
        assert subprocess.check_output(look).split()[0] == b"0"
        assert subprocess.check_output(unknown).split()[0] == b"0"


class TestOutputStream:
    @given(st.lists(st.binary(max_size=30), max_size=8), st.integers(1, 9))
    def test_marks_are_separated_from_data_at_any_split(
        self, pieces: list[bytes], step: int
    ) -> None:
        marker = "0123456789abcdef"
        mark = f"\x1e{marker}:7:0:1\x1e".encode()
        data = mark.join(pieces)
        stream = OutputStream(marker, 10_000)
        for at in range(0, len(data), step):
            stream.feed(data[at : at + step])
        plain = OutputStream("another", 10_000)
        plain.feed(b"".join(pieces))
        assert stream.finish() == plain.finish()
        assert stream.marks == ["7:0:1"] * max(0, len(pieces) - 1)

    def test_output_beyond_the_limit_is_dropped(self) -> None:
        stream = OutputStream("w", 10)
        stream.feed(b"x" * 11)
        assert stream.truncated
        assert stream.finish() == "x" * 10
        exact = OutputStream("w", 10)
        exact.feed(b"x" * 10)
        exact.finish()
        assert not exact.truncated

    def test_an_endless_mark_is_not_buffered(self) -> None:
        stream = OutputStream("w", 10)
        for _ in range(1000):
            stream.feed(b"\x1ew:" + b"x" * 1000)
        assert len(stream._pending) < 2000

    def test_live_text_arrives_in_whole_lines(self) -> None:
        told: list[str] = []
        stream = OutputStream("w", 1000, told.append)
        for piece in (b"pass", b"word=hun", b"ter2\nnext", b" line\nrest"):
            stream.feed(piece)
        assert told == ["password=***\n", "next line\n"]
        stream.finish()
        assert told[-1] == "rest"
