"""A command ends at its limit or cancel for any answer of a server, and the reason is named."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncssh
import pytest
from hostile_ssh import Answer, hostile_server, raw_server, run_truly, send_forever, words
from waiting import AN_HOUR, PATIENCE, hang_guard

from guardia.errors import CommandFailed, Unreachable
from guardia.tools.catalog import CATALOG
from guardia.tools.command import Command
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

LIMITS = TransportLimits(
    login=0, connect=0.6, termination=0.2, received=30_000_000, buffered=8_000_000
)
Process = asyncssh.SSHServerProcess[bytes]


def sends(out: bytes = b"", err: bytes = b"") -> Answer:
    """Answer with these bytes for ever."""

    async def answer(process: Process) -> None:
        await send_forever(process, out, err)

    return answer


def guesses(text: str, *, then: str = "forever") -> Answer:
    """Answer with marks built of every word of the command line, then go on or close."""

    async def answer(process: Process) -> None:
        marks = b"".join(
            f"\x1e{word}:{text}\x1e\x1e{word}x{other}:{text}\x1e".encode()
            for word in words(process)
            for other in words(process)
        )
        if then == "forever":
            await send_forever(process, marks, marks)
        process.stdout.write(marks)
        process.stderr.write(marks)
        await asyncio.sleep(3600)

    return answer


def once(out: bytes = b"", err: bytes = b"", status: int | None = None) -> Answer:
    """Answer with these bytes, then close with `status` or keep the channel open."""

    async def answer(process: Process) -> None:
        process.stdout.write(out)
        process.stderr.write(err)
        if status is None:
            await asyncio.sleep(3600)
        process.exit(status or 0)

    return answer


async def silence(process: Process) -> None:
    await asyncio.sleep(3600)


async def drip(process: Process) -> None:
    """Send one byte at a time, with pauses that no read waits for."""
    while True:
        process.stdout.write(b".")
        await asyncio.sleep(0.01)


async def echo_command(process: Process) -> None:
    line = (process.command or "").encode()
    await send_forever(process, line, line)


async def echo_input(process: Process) -> None:
    while data := await process.stdin.read(1000):
        process.stdout.write(data)
        process.stderr.write(data)
    await asyncio.sleep(3600)


async def repeat_true_marks(process: Process) -> None:
    """Run the command, learn its marks, and repeat the mark of its start for ever."""
    err = await run_truly(process)
    start = err.split(b"\x1e")[1]
    await send_forever(process, b"", b"\x1e" + start + b"\x1e")


async def true_start_then_flood(process: Process) -> None:
    err = await run_truly(process)
    process.stderr.write(b"\x1e" + err.split(b"\x1e")[1] + b"\x1e")
    await send_forever(process, b"x" * 65_536, b"y" * 65_536)


async def true_end_without_the_end_of_output(process: Process) -> None:
    err = await run_truly(process)
    process.stderr.write(err)
    await asyncio.sleep(3600)


async def true_start_then_close(process: Process) -> None:
    err = await run_truly(process)
    process.stderr.write(b"\x1e" + err.split(b"\x1e")[1] + b"\x1e")
    process.exit(0)


async def exit_by_signal(process: Process) -> None:
    process.exit_with_signal("KILL")


async def close_output_only(process: Process) -> None:
    process.stdout.write_eof()
    await asyncio.sleep(3600)


async def read_nothing(process: Process) -> None:
    process.channel.pause_reading()
    await asyncio.sleep(3600)


ANSWERS: dict[str, Answer] = {
    "silence": silence,
    "one byte at a time": drip,
    "the command line, for ever": echo_command,
    "the input": echo_input,
    "marks of every word: started": guesses("4711"),
    "marks of every word: ready": guesses("ready"),
    "marks of every word: ended well": guesses("0:0:0:0:0"),
    "marks of every word: ended, once": guesses("0:0:0:0:0", then="open"),
    "marks of every word: end of output": guesses("end"),
    "its true mark, for ever": repeat_true_marks,
    "its true mark, then a flood": true_start_then_flood,
    "its true mark, then closed": true_start_then_close,
    "its true end, but never that of its output": true_end_without_the_end_of_output,
    "output for ever": sends(b"x" * 65_536),
    "errors for ever": sends(b"", b"x" * 65_536),
    "both for ever": sends(b"x" * 1000, b"y" * 1000),
    "lines for ever": sends(b"a line\n" * 1000),
    "empty lines for ever": sends(b"\n" * 1000, b"\n" * 1000),
    "NULs for ever": sends(b"\0" * 65_536),
    "half a mark, for ever": sends(b"\x1e0", b"\x1e0"),
    "beginnings of marks for ever": sends(b"\x1e" * 10_000, b"\x1e" * 10_000),
    "a mark without an end": sends(b"\x1e123456x7890:", b"9" * 1000),
    "half characters for ever": sends(b"\xed\x95", b"\xf0\x9f"),
    "escape sequences for ever": sends(b"\x1b[31m\x1b]0;x\x07"),
    "EUC-KR for ever": sends("한글".encode("euc-kr") * 1000),
    "one line of a gigabyte": sends(b"secret=" + b"x" * 65_000),
    "the end of output and no more": close_output_only,
    "nothing is read": read_nothing,
    "text without an end": once(b"Welcome to the appliance. Type 'help'.\r\n> "),
    "a menu, then closed": once(b"1) status 2) reboot\r\n", status=0),
    "nothing, then closed well": once(status=0),
    "nothing, then closed with 255": once(status=255),
    "an unknown shell": once(err=b"-bash: setsid: command not found\n", status=127),
    "HTML": once(b"<html><body>502 Bad Gateway</body></html>", status=0),
    "a status of 32 bits": once(status=4_000_000_000),
    "ended by a signal": exit_by_signal,
}


@pytest.mark.slow
@pytest.mark.parametrize("fenced", [False, True], ids=["read", "change"])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_outlasts_the_limit(sshd: Any, name: str, fenced: bool) -> None:
    """Nor is it taken for the end of a command that said nothing about its end."""
    guard = FenceGuard("guardia:7:0123456789ab:0:do", lambda: None) if fenced else None
    with (
        hostile_server(sshd.folder / "host", ANSWERS[name]) as port,
        Connections(sshd, LIMITS) as connections,
        hang_guard("the limit of the command ends it"),
    ):
        try:
            output = connections.run(
                sshd.host(port=port),
                Command.of("sleep", "0.05").with_input("x" * 900_000 if fenced else ""),
                timeout=0.3,
                fence_guard=guard,
            )
        except Unreachable as error:
            assert fenced, error
            return  # the shell never said that it is ready: the change did not start
    require_bounded_and_honest(output)
    # Only the shell itself can confirm that.
    assert not output.is_confirmed_gone or "true end" in name or output.exit is not None


def require_bounded_and_honest(output: Output) -> None:
    assert len(output.stdout) <= LIMITS.output and len(output.stderr) <= LIMITS.output
    if output.exit_reason is ExitReason.EXITED:
        assert output.exit is not None  # the login shell's own, as sshd reports it
    else:
        assert output.exit is None
    for tool in CATALOG.values():
        try:
            tool.parse(output)
        except CommandFailed as error:
            assert len(str(error)) < 1500


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "silence",
        "one byte at a time",
        "marks of every word: started",
        "its true mark, for ever",
        "its true mark, then a flood",
        "output for ever",
        "errors for ever",
        "both for ever",
        "beginnings of marks for ever",
        "nothing is read",
    ],
)
def test_no_answer_outlasts_a_cancel(sshd: Any, name: str) -> None:
    limits = TransportLimits(login=0, connect=1.0, termination=0.3, received=10**12)
    with (
        hostile_server(sshd.folder / "host", ANSWERS[name]) as port,
        Connections(sshd, limits) as connections,
        ThreadPoolExecutor(1) as threads,
        hang_guard("the cancel ends it"),
    ):
        cancel = threading.Event()
        command = Command.of("cat").with_input("x" * 900_000)
        running = threads.submit(
            connections.run, sshd.host(port=port), command, timeout=AN_HOUR, cancel=cancel
        )
        cancel.wait(0.3)
        cancel.set()
        output = running.result(PATIENCE)
    assert output.exit_reason is ExitReason.CANCELLED
    assert output.exit is None


@pytest.mark.slow
def test_a_flood_is_ended_before_the_limit(sshd: Any) -> None:
    with (
        hostile_server(sshd.folder / "host", ANSWERS["output for ever"]) as port,
        Connections(sshd, LIMITS) as connections,
        hang_guard("too much output ends it"),
    ):
        output = connections.run(sshd.host(port=port), Command.of("true"), timeout=AN_HOUR)
    assert output.exit_reason is ExitReason.FLOODED
    with pytest.raises(CommandFailed, match="출력"):
        CATALOG["logs.tail"].parse(output)


def say(data: bytes, *, close: bool = False, forever: bool = False) -> Callable[[Any], None]:
    """Say something before any SSH; then close, repeat it, or keep quiet."""

    def talk(connection: Any) -> None:
        connection.sendall(data)
        while forever:
            connection.sendall(data)
        if close:
            connection.close()

    return talk


def say_after_request(data: bytes) -> Callable[[Any], None]:
    """Answer what the client says, as a web or mail server does, and close."""

    def talk(connection: Any) -> None:
        connection.recv(100)
        connection.sendall(data)
        connection.close()

    return talk


def drip_banner(connection: Any) -> None:
    pause = threading.Event()
    for byte in b"SSH-2.0-OpenSSH_9.6" * 1000:
        connection.sendall(bytes([byte]))
        pause.wait(0.05)


BEFORE_SSH: dict[str, tuple[Callable[[Any], None], str]] = {
    "silence": (say(b""), "아무 응답도 하지 않습니다"),
    "closed at once": (say(b"", close=True), "연결하자마자 끊어졌습니다"),
    "garbage": (say(b"\x00\xff\xfe garbage\r\n" * 200, close=True), "SSH가 아닌 서비스"),
    "garbage for ever": (say(b"\x00\xff garbage" * 100, forever=True), "SSH가 아닌 서비스"),
    "lines for ever": (say(b"hello\r\n" * 100, forever=True), "SSH가 아닌 서비스"),
    "HTTP": (say_after_request(b"HTTP/1.1 400 Bad Request\r\n\r\n"), r"웹 서버\(HTTP\)"),
    "SMTP": (say(b"220 mail.go.kr ESMTP Postfix\r\n"), "SSH가 아닌 서비스.*220 mail.go.kr"),
    "MySQL": (say(b"\x4a\x00\x00\x00\x0a8.0.36\x00"), "SSH가 아닌 서비스"),
    "slow banner": (drip_banner, "식별 문자열을 끝까지"),
    "half a banner": (say(b"SSH-2.0-Open"), "식별 문자열을 끝까지"),
    "an old protocol": (say(b"SSH-1.5-OldBox\r\n"), "구버전 프로토콜"),
    "silence after the banner": (say(b"SSH-2.0-OpenSSH_9.6\r\n"), "키 교환 도중 응답"),
    "closed after the banner": (say(b"SSH-2.0-X\r\n", close=True), "키 교환 도중 연결"),
    "garbage after the banner": (
        say(b"SSH-2.0-X\r\n" + b"\xff" * 5000, close=True),
        "키 교환 도중",
    ),
}


@pytest.fixture(scope="module")
def reasons(sshd: Any) -> dict[str, str]:
    """Why each of these servers is unreachable; all are asked at once, because most are awaited."""

    def ask(name: str) -> str:
        with raw_server(BEFORE_SSH[name][0]) as port, Connections(sshd, LIMITS) as connections:
            with pytest.raises(Unreachable) as caught:
                connections.run(sshd.host(port=port), Command.of("true"), timeout=AN_HOUR)
            return str(caught.value)

    with (
        ThreadPoolExecutor(len(BEFORE_SSH)) as threads,
        hang_guard("the limit for connecting ends it"),
    ):
        return dict(zip(BEFORE_SSH, threads.map(ask, BEFORE_SSH), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", BEFORE_SSH)
def test_the_reason_names_what_happened_before_ssh(reasons: dict[str, str], name: str) -> None:
    assert re.search(BEFORE_SSH[name][1], reasons[name])
    assert len(reasons[name]) < 300
    assert "확인해 주세요" in reasons[name] or "교체해 주세요" in reasons[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("refuse", "키 인증이 거부"),
        ("close", "키를 받은 뒤 서버가 연결을 끊었습니다"),
        ("hang", "키를 받은 뒤 서버가 응답하지 않습니다"),
    ],
)
def test_the_reason_names_what_happened_to_the_key(sshd: Any, auth: str, expected: str) -> None:
    with (
        hostile_server(sshd.folder / "host", silence, auth) as port,
        Connections(sshd, TransportLimits(login=0, connect=3.0)) as connections,
        hang_guard("the limit for connecting ends it"),
        pytest.raises(Unreachable, match=expected),
    ):
        connections.run(sshd.host(port=port), Command.of("true"), timeout=AN_HOUR)


class TestBreaker:
    @pytest.mark.slow
    def test_a_silent_server_costs_the_limit_once(self, sshd: Any) -> None:
        """All reads of a runbook get one finding; later the server is tried again."""
        seen: list[Any] = []
        with (
            raw_server(seen.append) as port,
            Connections(sshd, LIMITS) as connections,
            hang_guard("known silence costs nothing"),
        ):
            told = {self.why(connections, sshd.host(port=port)) for _ in range(50)}
            assert len(told) == 1
            assert len(seen) == 1

    @pytest.mark.slow
    def test_other_servers_are_not_held_up(self, sshd: Any) -> None:
        with raw_server(lambda _: None) as port, Connections(sshd, LIMITS) as connections:
            self.why(connections, sshd.host(port=port))
            assert connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE).exit == 0

    @pytest.mark.slow
    def test_a_server_that_answers_no_request_is_known_too(self, sshd: Any) -> None:
        async def never(process: Process) -> None:
            await asyncio.sleep(3600)

        with hostile_server(sshd.folder / "host", never) as port:
            limits = TransportLimits(login=0, connect=1.0, termination=0.3)
            guard = FenceGuard("guardia:7:0123456789ab:0:do", lambda: None)
            with Connections(sshd, limits) as connections:
                host = sshd.host(port=port)
                for _ in range(2):
                    with pytest.raises(Unreachable, match="응답하지 않습니다"):
                        connections.run(
                            host, Command.of("true"), timeout=AN_HOUR, fence_guard=guard
                        )

    def why(self, connections: Connections, host: Any) -> str:
        with pytest.raises(Unreachable) as caught:
            connections.run(host, Command.of("true"), timeout=AN_HOUR)
        return str(caught.value)
