"""Many servers at once: a slow or dead one delays no other, and limits are kept fairly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from hostile_ssh import raw_server
from remote_processes import processes_with, unique_seconds
from waiting import AN_HOUR, PATIENCE, wait_until

from guardia.errors import Unreachable
from guardia.org.directory import Host
from guardia.tools.command import Command
from guardia.tools.output import ExitReason
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

pytestmark = pytest.mark.ssh

TRUE = Command.of("true")


@pytest.mark.slow
def test_dead_servers_delay_no_other(sshd: Any) -> None:
    """All that live have answered while the dead ones are still awaited."""
    living = [sshd.host(server_id=f"L{n}") for n in range(45)]
    ended: list[str] = []

    def run(host: Host) -> None:
        try:
            assert connections.run(host, TRUE, timeout=PATIENCE).exit == 0
        except Unreachable:
            assert host in dead
        ended.append(host.server_id)

    limits = TransportLimits(login=0, connect=PATIENCE, institution_commands=20)
    with ExitStack() as silent, ThreadPoolExecutor(50) as threads:
        ports = [silent.enter_context(raw_server(lambda _: None)) for _ in range(5)]
        dead = [sshd.host(server_id=f"D{n}", port=port) for n, port in enumerate(ports)]
        with Connections(sshd, limits) as connections:
            for host in dead:
                threads.submit(run, host)
            list(threads.map(run, living))
            assert sorted(ended) == sorted(host.server_id for host in living)
        silent.close()  # then nothing listens there, and the threads end


@pytest.mark.slow
def test_an_institution_runs_so_many_commands_at_once_and_another_its_own(sshd: Any) -> None:
    mark, cancel = unique_seconds(), threading.Event()
    limits = TransportLimits(institution_commands=3, wait=PATIENCE)
    ours = [sshd.host(server_id=f"S{n}") for n in range(6)]
    with Connections(sshd, limits) as connections, ThreadPoolExecutor(7) as threads:
        sleeping = [
            threads.submit(
                connections.run, host, Command.of("sleep", mark), timeout=AN_HOUR, cancel=cancel
            )
            for host in ours
        ]
        assert wait_until(lambda: len(_sleeps(mark)) == 3)
        other = sshd.host(server_id="X", institution="OTHER")
        assert connections.run(other, TRUE, timeout=PATIENCE).exit == 0
        assert connections.end(ours[0], "guardia:7:0:0:do"), "ending something never waits"
        assert len(_sleeps(mark)) == 3
        cancel.set()
        reasons = {future.result(PATIENCE).exit_reason for future in sleeping}
    assert reasons == {ExitReason.CANCELLED}


def test_a_server_runs_so_many_commands_at_once(sshd: Any) -> None:
    mark, cancel = unique_seconds(), threading.Event()
    limits = TransportLimits(server_commands=1, wait=0.2)
    with Connections(sshd, limits) as connections, ThreadPoolExecutor(1) as threads:
        sleeping = threads.submit(
            connections.run, sshd.host(), Command.of("sleep", mark), timeout=AN_HOUR, cancel=cancel
        )
        assert wait_until(lambda: _sleeps(mark))
        with pytest.raises(Unreachable, match="동시에 실행할 수 있는 명령 수"):
            connections.run(sshd.host(), TRUE, timeout=PATIENCE)
        assert connections.run(sshd.host(server_id="B"), TRUE, timeout=PATIENCE).exit == 0
        cancel.set()
        sleeping.result(PATIENCE)


def test_an_unused_connection_makes_place_for_another_server(sshd: Any) -> None:
    limits = TransportLimits(institution_connections=2, connect=PATIENCE)
    with Connections(sshd, limits) as connections:
        for number in range(6):
            host = sshd.host(server_id=f"S{number}")
            assert connections.run(host, TRUE, timeout=PATIENCE).exit == 0


def _sleeps(mark: str) -> list[int]:
    """Return the processes of a sleep, without the shells that have it among their words."""
    return [pid for pid in processes_with(mark) if _name(pid) == "sleep"]


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""
