"""Kept connections over real SSH: broken ones are replaced, and many commands share few."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest
from remote_processes import break_connections, processes_with, sessions_of, shell, unique_seconds
from waiting import AN_HOUR, PATIENCE, SettableClock, hang_guard, wait_until

from guardia.errors import Unreachable
from guardia.tools.command import Command, Script
from guardia.tools.output import ExitReason
from guardia.tools.transport import connections as transport_connections
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

pytestmark = pytest.mark.ssh


class TestBrokenConnection:
    def test_the_next_command_gets_a_new_connection(self, own: Any, tmp_path: Path) -> None:
        log = tmp_path / "ran"
        with Connections(own) as connections:
            assert connections.run(own.host(), Command.of("true"), timeout=PATIENCE).exit == 0
            break_connections(own.host())
            output = connections.run(
                own.host(), shell('echo x >> "$1"', str(log)), timeout=PATIENCE
            )
        assert output.exit == 0
        assert log.read_text() == "x\n"

    @pytest.mark.slow
    def test_a_command_that_may_have_started_is_never_repeated(
        self, own: Any, tmp_path: Path
    ) -> None:
        log, mark = tmp_path / "ran", unique_seconds()
        with Connections(own) as connections, ThreadPoolExecutor(1) as threads:
            command = shell('echo x >> "$1"; sleep "$2"', str(log), mark)
            running = threads.submit(connections.run, own.host(), command, timeout=PATIENCE)
            assert wait_until(log.exists)
            break_connections(own.host())
            output = running.result(PATIENCE)
            assert output.exit_reason is ExitReason.LOST
            assert output.exit is None
            assert output.is_confirmed_gone
            assert processes_with(mark) == []
        assert log.read_text() == "x\n"

    @pytest.mark.slow
    def test_an_unreachable_server_does_not_confirm_the_end(self, own: Any) -> None:
        mark = unique_seconds()
        with Connections(own) as connections, ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(connections.run, own.host(), command, timeout=PATIENCE)
            assert wait_until(lambda: processes_with(mark))
            own.stop()
            break_connections(own.host())
            output = running.result(PATIENCE)
        assert output.exit_reason is ExitReason.LOST
        assert not output.is_confirmed_gone
        assert wait_until(lambda: not processes_with(mark))

    @pytest.mark.slow
    def test_a_hung_server_does_not_block_the_client(self, own: Any, clock: SettableClock) -> None:
        limits = TransportLimits(termination=1.0)
        mark = unique_seconds()
        with Connections(own, limits) as connections, ThreadPoolExecutor(1) as threads:
            command = Command.of("sleep", mark)
            running = threads.submit(connections.run, own.host(), command, timeout=AN_HOUR)
            assert wait_until(lambda: processes_with(mark))
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
        assert wait_until(lambda: not processes_with(mark))

    @pytest.mark.slow
    def test_a_hung_server_is_noticed_by_an_unanswered_request(self, own: Any) -> None:
        with Connections(own) as connections:
            assert connections.run(own.host(), Command.of("true"), timeout=PATIENCE).exit == 0
            connections._limits = TransportLimits(login=0, connect=1.0)
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


class SilentServer(asyncssh.SSHServer):
    """Accepts every user and never answers a request for a session."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def connection_made(self, conn: Any) -> None:
        self.seen.append(conn)

    def begin_auth(self, username: str) -> bool:
        return False

    async def session_requested(self) -> Any:
        await asyncio.sleep(3600)


@pytest.fixture
def silent_server(sshd: Any) -> Iterator[tuple[int, list[Any]]]:
    """Port and connections of such a server, with the host key of `sshd`."""
    loop, seen = asyncio.new_event_loop(), list[Any]()
    key = asyncssh.read_private_key(sshd.folder / "host")
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncssh.create_server(
        lambda: SilentServer(seen), sock=listening, server_host_keys=[key]
    )
    acceptor = loop.run_until_complete(serving)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield listening.getsockname()[1], seen
    loop.call_soon_threadsafe(acceptor.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.slow
def test_a_connection_without_channels_is_replaced_once(
    sshd: Any, silent_server: tuple[int, list[Any]]
) -> None:
    port, seen = silent_server
    limits = TransportLimits(login=0, connect=4.0)
    with Connections(sshd, limits) as connections, pytest.raises(Unreachable) as refused:
        connections.run(sshd.host(port=port), Command.of("true"), timeout=PATIENCE)
    assert refused.value.detail["reason"] == "no_answer"
    assert len(seen) == 2


class TestConcurrency:
    CONNECTION = Script("test.connection", 'sleep 0.1; printf "%s %s" "$SSH_CONNECTION" "$1"')

    @pytest.mark.slow
    def test_few_connections_carry_many_commands_separately(self, sshd: Any) -> None:
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

    @pytest.mark.slow
    def test_a_server_with_one_session_per_connection_works(
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

    def test_a_server_without_sessions_is_given_up(
        self, start_sshd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = start_sshd(more="MaxSessions 0")
        clock = SettableClock(step=10.0)
        monkeypatch.setattr(transport_connections, "time", clock)
        limits, full = TransportLimits(login=0, connect=60.0), "MaxSessions"
        with (
            hang_guard("it gives up when the time for connecting is over"),
            Connections(server, limits) as connections,
            pytest.raises(Unreachable, match=full),
        ):
            connections.run(server.host(), Command.of("true"), timeout=AN_HOUR)
        assert clock.ahead >= limits.connect

    @pytest.mark.slow
    def test_a_busy_pool_is_reported(self, sshd: Any) -> None:
        limits = TransportLimits(channels=1, connections=1)
        with Connections(sshd, limits) as connections, ThreadPoolExecutor(1) as threads:
            mark = unique_seconds()
            cancel = threading.Event()
            running = threads.submit(
                connections.run,
                sshd.host(),
                Command.of("sleep", mark),
                timeout=PATIENCE,
                cancel=cancel,
            )
            assert wait_until(lambda: processes_with(mark))
            connections._limits = replace(limits, connect=0.5)
            with pytest.raises(Unreachable, match="사용 중"):
                connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE)
            cancel.set()
            assert running.result(PATIENCE).is_confirmed_gone

    @pytest.mark.slow
    def test_a_kept_connection_is_reused(self, sshd: Any) -> None:
        with Connections(sshd) as connections:
            ran = [
                connections.run(sshd.host(), Command.script(self.CONNECTION, n), timeout=PATIENCE)
                for n in range(5)
            ]
        assert len({output.stdout.rsplit(" ", 1)[0] for output in ran}) == 1

    @pytest.mark.slow
    def test_paramiko_writes_nothing_to_standard_error(
        self, own: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with Connections(own) as connections:
            connections.run(own.host(), Command.of("true"), timeout=PATIENCE)
            break_connections(own.host())
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = own.host(port=silent.getsockname()[1])
            with (
                Connections(own, TransportLimits(login=0, connect=0.3)) as other,
                suppress(Unreachable),
            ):
                other.run(host, Command.of("true"), timeout=AN_HOUR)
        assert capfd.readouterr().err == ""


def test_paramiko_still_has_the_internals_in_use() -> None:
    """paramiko waits on `Channel.event` for the answer to a request; see `BoundedEvent`."""
    channel = paramiko.Channel(0)
    assert isinstance(channel.event, threading.Event)
    assert hasattr(channel.in_buffer, "set_event")


def test_after_close_no_command_runs(sshd: Any) -> None:
    connections = Connections(sshd)
    connections.close()
    with pytest.raises(Unreachable):
        connections.run(sshd.host(), Command.of("true"), timeout=PATIENCE)
