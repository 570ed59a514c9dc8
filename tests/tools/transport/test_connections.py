"""Commands over real SSH: what arrives, what is bounded, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest
from waiting import AN_HOUR, PATIENCE, SettableClock, hang_guard, wait_until

from guardia.errors import Misconfigured, Unreachable
from guardia.org.directory import Host
from guardia.tools.command import Command, Script, Secret
from guardia.tools.output import ExitReason
from guardia.tools.transport import channel, connect
from guardia.tools.transport import connections as transport_connections
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

pytestmark = pytest.mark.ssh

WORD = Script("test.word", 'printf "%s" "$1"')


def marked() -> str:
    """A number of seconds that names one test's processes: nobody else sleeps that long."""
    return f"{1000 + secrets.randbelow(1000)}.{secrets.randbelow(10**9):09d}"


def alive(mark: str, *, shell_too: bool = False) -> list[int]:
    """The processes with ``mark`` on their command line, from /proc; zombies have none.

    The shell of the lifeline, which names its command, has still to exit when it has told the end.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            ours = words[3:4] == [b"guardia"]
            if any(mark.encode() in word for word in words) and (shell_too or not ours):
                found.append(int(entry.parent.name))
    return found


def shell(text: str, *arguments: object) -> Command:
    """A command of the test's own making."""
    return Command.of("bash", "-c", text, "test", *map(str, arguments))


def sessions_of(host: Host) -> list[int]:
    """The sshd processes that serve the present connections to ``host``, by their sockets."""
    hexport = f":{host.port:04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(hexport) and line.split()[3] == "01"
    }
    holders = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().startswith("sshd"):
                links = {os.readlink(fd) for fd in (entry / "fd").iterdir()}
                if any(f"socket:[{inode}]" in links for inode in inodes):
                    holders.append(int(entry.name))
    return holders


def cut(host: Host) -> None:
    """Break all connections to ``host`` as a crash of sshd's session processes does."""
    for pid in sessions_of(host):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SettableClock:
    """The clock by which commands run out of time."""
    found = SettableClock()
    monkeypatch.setattr(channel, "time", found)
    return found


@pytest.fixture
def own(start_sshd: Callable[..., Any]) -> Any:
    """A server of this test's own."""
    return start_sshd()


class TestACommand:
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

    def test_input_that_it_does_not_read_does_no_harm(
        self, connections: Connections, sshd: Any
    ) -> None:
        command = Command.of("echo", "done").with_input("x" * 500_000)
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert (output.exit, output.stdout) == (0, "done\n")

    def test_without_input_it_reads_an_empty_one(self, connections: Connections, sshd: Any) -> None:
        assert connections.run(sshd.host(), Command.of("cat"), timeout=PATIENCE).exit == 0

    def test_it_is_not_immune_to_broken_pipes(self, connections: Connections, sshd: Any) -> None:
        output = connections.run(
            sshd.host(), shell("kill -PIPE $$; echo survived"), timeout=PATIENCE
        )
        assert (output.exit, output.stdout) == (128 + signal.SIGPIPE, "")

    def test_a_daemon_that_it_starts_stays_and_does_not_hold_it_up(
        self, connections: Connections, sshd: Any
    ) -> None:
        mark = marked()
        output = connections.run(
            sshd.host(), shell(f"sleep {mark} & echo started"), timeout=PATIENCE
        )
        try:
            assert output.stdout == "started\n"
            # It returns although the daemon, which sleeps for longer than we wait, lives on.
            assert (output.exit, output.exit_reason) == (0, ExitReason.EXITED)
            assert alive(mark)
        finally:
            for pid in alive(mark):
                os.kill(pid, signal.SIGKILL)

    def test_an_account_without_a_shell_says_so(self, start_sshd: Callable[..., Any]) -> None:
        server = start_sshd(more='ForceCommand echo "이 계정은 쓸 수 없습니다."; exit 1')
        with Connections(server) as connections:
            output = connections.run(server.host(), Command.of("true"), timeout=PATIENCE)
        assert (output.exit, output.stdout) == (1, "이 계정은 쓸 수 없습니다.\n")


class TestOutput:
    def test_it_is_bounded_and_the_command_still_ends_well(self, sshd: Any) -> None:
        with Connections(sshd, TransportLimits(output=1000)) as connections:
            command = shell("yes 1234567 | head -c 30000000; echo end >&2; exit 3")
            output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert output.truncated
        assert len(output.stdout) == 1000
        assert (output.exit, output.stderr) == (3, "end\n")

    def test_what_is_no_text_is_made_harmless(self, connections: Connections, sshd: Any) -> None:
        command = shell(r"printf 'a\000b\033[31mred\033[0m\377\r\n\342\200\256x\n'")
        output = connections.run(sshd.host(), command, timeout=PATIENCE)
        assert output.stdout == "abred\ufffd\nx\n"

    def test_marks_of_another_command_are_only_text(
        self, connections: Connections, sshd: Any
    ) -> None:
        forged = r"printf '\0360123456789abcdef:0:0:1\036'; printf '\036'; echo after"
        output = connections.run(sshd.host(), shell(forged), timeout=PATIENCE)
        assert output.stdout == "0123456789abcdef:0:0:1after\n"

    def test_it_is_told_while_the_command_runs(
        self, connections: Connections, sshd: Any, tmp_path: Path
    ) -> None:
        told: list[tuple[str, str]] = []

        def tell(stream: str, text: str) -> None:
            told.append((stream, text))
            if len(told) == 2:
                (tmp_path / "told").touch()

        waits = 'until [ -e "$1" ]; do sleep 0.02; done'  # which ends because we were told
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

    def test_a_listener_that_fails_ends_the_command(
        self, connections: Connections, sshd: Any
    ) -> None:
        mark = marked()

        def fail(_stream: str, _text: str) -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            command = shell(f"echo go; sleep {mark}")
            connections.run(sshd.host(), command, timeout=PATIENCE, on_output=fail)
        assert wait_until(lambda: not alive(mark))


class TestWhoIsTrusted:
    def test_another_host_key_is_refused_before_any_log_in(
        self, own: Any, sshd: Any, short_folder: Path
    ) -> None:
        changed = own.host(host_key=sshd.host().host_key)
        with (
            Connections(own) as connections,
            pytest.raises(Unreachable, match="호스트 키가 등록된"),
        ):
            connections.run(changed, Command.of("true"), timeout=PATIENCE)
        assert "Accepted" not in (own.folder / "log").read_text()

    def test_a_host_key_of_another_type_is_refused(self, own: Any, short_folder: Path) -> None:
        (short_folder / "rsa").mkdir(exist_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", short_folder / "rsa" / "k"],
            check=True,
        )
        key = " ".join((short_folder / "rsa" / "k.pub").read_text().split()[:2])
        with Connections(own) as connections, pytest.raises(Unreachable, match="호스트 키"):
            connections.run(own.host(host_key=key), Command.of("true"), timeout=PATIENCE)

    @pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 !!!", "nonsense"])
    def test_without_a_pinned_key_nobody_is_trusted(self, sshd: Any, key: str) -> None:
        with Connections(sshd) as connections, pytest.raises(Unreachable, match="CMDB"):
            connections.run(sshd.host(host_key=key), Command.of("true"), timeout=PATIENCE)

    @pytest.mark.parametrize("key_type", ["rsa", "ecdsa"])
    def test_host_keys_of_other_types_work(
        self, start_sshd: Callable[..., Any], key_type: str
    ) -> None:
        server = start_sshd(key_type=key_type)
        with Connections(server) as connections:
            assert connections.run(server.host(), Command.of("true"), timeout=PATIENCE).exit == 0

    def test_a_user_key_that_the_server_does_not_know_is_refused(self, own: Any, sshd: Any) -> None:
        with Connections(sshd) as connections, pytest.raises(Unreachable, match="authorized_keys"):
            connections.run(own.host(), Command.of("true"), timeout=PATIENCE)

    def test_an_unreadable_user_key_is_not_shown(self, sshd: Any) -> None:
        class Broken:
            def get(self, name: str) -> str:
                return "-----BEGIN OPENSSH PRIVATE KEY-----\ngeheim\n"

        with Connections(Broken()) as connections, pytest.raises(Misconfigured) as caught:
            connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE)
        assert "geheim" not in str(caught.value)


class TestUnreachable:
    def test_nobody_listens(self, sshd: Any) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            host = sshd.host(port=bound.getsockname()[1])
            with Connections(sshd) as connections, pytest.raises(Unreachable, match="연결 거부"):
                connections.run(host, Command.of("true"), timeout=PATIENCE)

    def test_something_listens_and_says_nothing(self, sshd: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = sshd.host(port=silent.getsockname()[1])
            limits = TransportLimits(connect=1.0)
            with (
                hang_guard("the limit for connecting ends it"),
                Connections(sshd, limits) as connections,
                pytest.raises(Unreachable),
            ):
                connections.run(host, Command.of("true"), timeout=AN_HOUR)

    def test_after_close_nothing_runs(self, sshd: Any) -> None:
        connections = Connections(sshd)
        connections.close()
        with pytest.raises(Unreachable):
            connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE)


class TestNothingIsLeftBehind:
    CROWD = """
        for i in 1 2 3 4 5; do sleep $1 & done
        for i in 1 2 3 4 5; do (trap '' TERM HUP INT; while :; do sleep $1; done) & done
        for i in 1 2 3 4 5; do timeout 900 sleep $1 & done
        for i in 1 2 3 4 5; do sleep $1 & kill -STOP $!; done
        echo ready; wait"""

    def test_cancelling_ends_every_process_and_confirms_it(
        self, connections: Connections, sshd: Any
    ) -> None:
        mark, cancel = marked(), threading.Event()
        counted = []

        def cancel_when_ready(_stream: str, text: str) -> None:
            if "ready" not in text:
                return  # bash tells of the children that the cancel killed
            assert wait_until(lambda: len(alive(mark)) >= 20)
            counted.append(len(alive(mark)))
            cancel.set()

        output = connections.run(
            sshd.host(),
            shell(self.CROWD, mark),
            timeout=PATIENCE,
            cancel=cancel,
            on_output=cancel_when_ready,
        )
        assert alive(mark) == []
        assert counted[0] >= 20
        assert wait_until(lambda: not alive(mark, shell_too=True))
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.exit is None
        assert output.is_confirmed_gone

    def test_so_does_running_out_of_time(
        self, connections: Connections, sshd: Any, clock: SettableClock
    ) -> None:
        mark = marked()

        def run_out_when_ready(_stream: str, text: str) -> None:
            if "ready" in text:
                assert wait_until(lambda: len(alive(mark)) >= 20)
                clock.ahead += AN_HOUR

        command = shell(self.CROWD, mark)
        output = connections.run(
            sshd.host(), command, timeout=AN_HOUR, on_output=run_out_when_ready
        )
        assert alive(mark) == []
        assert output.exit_reason is ExitReason.TIMED_OUT
        assert output.is_confirmed_gone
        assert output.stdout == "ready\n"

    def test_a_cancel_is_noticed_while_nothing_arrives(
        self, connections: Connections, sshd: Any
    ) -> None:
        cancel, mark = threading.Event(), marked()
        with ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(
                connections.run, sshd.host(), command, timeout=AN_HOUR, cancel=cancel
            )
            assert wait_until(lambda: alive(mark))
            cancel.set()
            output = running.result(PATIENCE)
        assert output.exit_reason is ExitReason.CANCELLED
        assert output.is_confirmed_gone and alive(mark) == []

    def test_cancelled_before_it_began_it_does_not_begin(
        self, connections: Connections, sshd: Any, tmp_path: Path
    ) -> None:
        cancel = threading.Event()
        cancel.set()
        command = Command.of("touch", str(tmp_path / "began"))
        output = connections.run(sshd.host(), command, timeout=PATIENCE, cancel=cancel)
        assert output.exit_reason is ExitReason.CANCELLED
        assert not (tmp_path / "began").exists()

    def test_a_command_that_ended_in_time_counts_as_ended(
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

    def test_closing_the_connections_ends_what_runs(self, sshd: Any) -> None:
        mark = marked()
        connections = Connections(sshd)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(
                connections.run, sshd.host(), Command.of("sleep", mark), timeout=PATIENCE
            )
            assert wait_until(lambda: alive(mark))
            connections.close()
            assert running.result(PATIENCE).exit_reason is ExitReason.LOST
        assert wait_until(lambda: not alive(mark))

    def test_killing_this_side_ends_it_too(self, sshd: Any) -> None:
        mark = marked()
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
            assert wait_until(lambda: any(pid != process.pid for pid in alive(mark)))
        finally:
            process.kill()
            process.wait()
        assert wait_until(lambda: not alive(mark))


class TestABrokenConnection:
    def test_the_next_command_gets_a_new_one(self, own: Any, tmp_path: Path) -> None:
        log = tmp_path / "ran"
        with Connections(own) as connections:
            assert connections.run(own.host(), Command.of("true"), timeout=PATIENCE).exit == 0
            cut(own.host())
            output = connections.run(
                own.host(), shell('echo x >> "$1"', str(log)), timeout=PATIENCE
            )
        assert output.exit == 0
        assert log.read_text() == "x\n"

    def test_a_command_that_may_have_started_is_never_repeated(
        self, own: Any, tmp_path: Path
    ) -> None:
        log, mark = tmp_path / "ran", marked()
        with Connections(own) as connections, ThreadPoolExecutor(1) as threads:
            command = shell('echo x >> "$1"; sleep "$2"', str(log), mark)
            running = threads.submit(connections.run, own.host(), command, timeout=PATIENCE)
            assert wait_until(log.exists)
            cut(own.host())
            output = running.result(PATIENCE)
            assert output.exit_reason is ExitReason.LOST
            assert output.exit is None
            assert output.is_confirmed_gone
            assert alive(mark) == []
        assert log.read_text() == "x\n"

    def test_what_cannot_be_looked_up_is_not_claimed_to_be_gone(self, own: Any) -> None:
        mark = marked()
        with Connections(own) as connections, ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(connections.run, own.host(), command, timeout=PATIENCE)
            assert wait_until(lambda: alive(mark))
            own.stop()
            cut(own.host())
            output = running.result(PATIENCE)
        assert output.exit_reason is ExitReason.LOST
        assert not output.is_confirmed_gone
        assert wait_until(lambda: not alive(mark))

    def test_a_server_that_hangs_does_not_hang_us(self, own: Any, clock: SettableClock) -> None:
        limits = TransportLimits(termination=1.0)
        mark = marked()
        with Connections(own, limits) as connections, ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(connections.run, own.host(), command, timeout=AN_HOUR)
            assert wait_until(lambda: alive(mark))
            hung = sessions_of(own.host())
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            clock.ahead += AN_HOUR
            try:
                output = running.result(PATIENCE)
                assert output.exit_reason is ExitReason.TIMED_OUT
                assert not output.is_confirmed_gone
                # The hung connection is not used again.
                assert connections.run(own.host(), Command.of("true"), timeout=PATIENCE).exit == 0
            finally:
                for pid in hung:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: not alive(mark))

    def test_a_hung_server_is_noticed_when_a_request_is_not_answered(self, own: Any) -> None:
        with Connections(own) as connections:
            assert connections.run(own.host(), Command.of("true"), timeout=PATIENCE).exit == 0
            connections._limits = TransportLimits(connect=1.0)
            own.process.send_signal(signal.SIGSTOP)
            hung = sessions_of(own.host())
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            try:
                with hang_guard("the limit for connecting ends it"), pytest.raises(Unreachable):
                    connections.run(own.host(), Command.of("true"), timeout=AN_HOUR)
            finally:
                for pid in (own.process.pid, *hung):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)


class Mute(asyncssh.SSHServer):
    """Lets everybody in, and never answers when asked for a session."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def connection_made(self, conn: Any) -> None:
        self.seen.append(conn)

    def begin_auth(self, username: str) -> bool:
        return False

    async def session_requested(self) -> Any:
        await asyncio.sleep(3600)


@pytest.fixture
def mute(sshd: Any) -> Iterator[tuple[int, list[Any]]]:
    """Port and seen connections of such a server, with the host key of ``sshd``."""
    loop, seen = asyncio.new_event_loop(), list[Any]()
    key = asyncssh.read_private_key(sshd.folder / "host")
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncssh.create_server(lambda: Mute(seen), sock=listening, server_host_keys=[key])
    acceptor = loop.run_until_complete(serving)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield listening.getsockname()[1], seen
    loop.call_soon_threadsafe(acceptor.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_connection_that_opens_no_channel_is_made_anew_once(
    sshd: Any, mute: tuple[int, list[Any]]
) -> None:
    port, seen = mute
    limits, lost = TransportLimits(connect=4.0), "연결이 끊어졌습니다"
    with Connections(sshd, limits) as connections, pytest.raises(Unreachable, match=lost):
        connections.run(sshd.host(port=port), Command.of("true"), timeout=PATIENCE)
    assert len(seen) == 2


class TestManyAtOnce:
    CONNECTION = Script("test.connection", 'sleep 0.1; printf "%s %s" "$SSH_CONNECTION" "$1"')

    def test_few_connections_carry_them_and_nothing_is_mixed_up(self, sshd: Any) -> None:
        limits = TransportLimits(channels=4, connections=2)
        with Connections(sshd, limits) as connections, ThreadPoolExecutor(24) as threads:
            outputs = list(
                threads.map(
                    lambda number: connections.run(
                        sshd.host(), Command.script(self.CONNECTION, number), timeout=PATIENCE
                    ).stdout.rsplit(" ", 1),
                    range(48),
                )
            )
        assert [int(number) for _, number in outputs] == list(range(48))
        assert len({connection for connection, _ in outputs}) == 2

    def test_a_server_that_allows_one_session_each_gets_its_way(
        self, start_sshd: Callable[..., Any]
    ) -> None:
        server = start_sshd(more="MaxSessions 1")
        with Connections(server) as connections, ThreadPoolExecutor(8) as threads:
            outputs = list(
                threads.map(
                    lambda number: connections.run(
                        server.host(), Command.script(self.CONNECTION, number), timeout=PATIENCE
                    ),
                    range(12),
                )
            )
        assert [o.exit for o in outputs] == [0] * 12

    def test_a_server_that_takes_no_session_is_not_asked_forever(
        self, start_sshd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = start_sshd(more="MaxSessions 0")
        clock = SettableClock(step=10.0)
        monkeypatch.setattr(transport_connections, "time", clock)
        limits, full = TransportLimits(connect=60.0), "MaxSessions"
        with (
            hang_guard("it gives up when the time for connecting is over"),
            Connections(server, limits) as connections,
            pytest.raises(Unreachable, match=full),
        ):
            connections.run(server.host(), Command.of("true"), timeout=AN_HOUR)
        assert clock.ahead >= limits.connect

    def test_when_all_are_busy_one_is_told_so(self, sshd: Any) -> None:
        limits = TransportLimits(channels=1, connections=1)
        with Connections(sshd, limits) as connections, ThreadPoolExecutor(1) as threads:
            mark = marked()
            cancel = threading.Event()
            running = threads.submit(
                connections.run,
                sshd.host(),
                Command.of("sleep", mark),
                timeout=PATIENCE,
                cancel=cancel,
            )
            assert wait_until(lambda: alive(mark))
            connections._limits = replace(limits, connect=0.5)
            with pytest.raises(Unreachable, match="사용 중"):
                connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE)
            cancel.set()
            assert running.result(PATIENCE).is_confirmed_gone

    def test_a_kept_connection_is_used_again(self, sshd: Any) -> None:
        with Connections(sshd) as connections:
            ran = [
                connections.run(sshd.host(), Command.script(self.CONNECTION, n), timeout=PATIENCE)
                for n in range(5)
            ]
        assert len({output.stdout.rsplit(" ", 1)[0] for output in ran}) == 1

    def test_nothing_of_paramiko_reaches_standard_error(
        self, own: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with Connections(own) as connections:
            connections.run(own.host(), Command.of("true"), timeout=PATIENCE)
            cut(own.host())
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = own.host(port=silent.getsockname()[1])
            with Connections(own, TransportLimits(connect=0.3)) as other, suppress(Unreachable):
                other.run(host, Command.of("true"), timeout=AN_HOUR)
        assert capfd.readouterr().err == ""


def test_small_packets_are_not_held_back(sshd: Any) -> None:
    with closing(connect._socket(sshd.host(), 5)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_paramiko_still_has_what_the_hands_lean_on() -> None:
    """``Channel.event`` is where paramiko waits for a request's answer; see ``Bounded``."""
    channel = paramiko.Channel(0)
    assert isinstance(channel.event, threading.Event)
    assert hasattr(channel.in_buffer, "set_event")
