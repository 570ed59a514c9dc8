"""Servers behind bastions, over real SSH: each hop is verified, signed in to, and shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hostile_ssh import raw_server
from remote_processes import break_connections, sessions_of
from waiting import AN_HOUR, PATIENCE, hang_guard

from guardia.errors import Unreachable
from guardia.org.directory import Host, Login
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

pytestmark = pytest.mark.ssh

TRUE = Command.of("true")
PEER = Command.of("bash", "-c", "echo ${SSH_CONNECTION% *}")


@pytest.fixture
def bastions(start_sshd: Callable[..., Any]) -> tuple[Any, Any]:
    return start_sshd(), start_sshd()


def behind(server: Any, *hops: Host, **changed: object) -> Host:
    names = tuple(hop.server_id for hop in hops)
    return server.host(login=Login(bastions=names), hops=hops, **changed)


class Keys:
    """The user keys of several servers, by the server's folder."""

    def get(self, name: str) -> str:
        with open(name) as file:
            return file.read()


def hop(server: Any, name: str, **changed: object) -> Host:
    key = str(server.folder / "user")
    return server.host(server_id=name, **{"credential": key} | changed)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_command_goes_through_every_hop(own: Any, bastions: tuple[Any, Any]) -> None:
    first, second = bastions
    way = hop(first, "B-1"), hop(second, "B-2")
    host = behind(own, *way, credential=str(own.folder / "user"))
    with Connections(Keys()) as connections:
        assert connections.run(host, PEER, timeout=PATIENCE).exit == 0
        assert len(sessions_of(way[0])) == len(sessions_of(way[1])) == 1
        assert connections.offered_key(host) == own.host().host_key
    for server in (first, second, own):
        assert "Accepted publickey" in (server.folder / "log").read_text()


@pytest.mark.slow
def test_servers_share_a_hop_and_commands_there_do_not_wait(
    own: Any, bastions: tuple[Any, Any]
) -> None:
    first, _ = bastions
    bastion, key = hop(first, "B-1"), str(own.folder / "user")
    hosts = [behind(own, bastion, server_id=f"S-{n}", credential=key) for n in range(12)]
    with Connections(Keys()) as connections, ThreadPoolExecutor(12) as threads:
        ran = threads.map(lambda h: connections.run(h, TRUE, timeout=PATIENCE).exit, hosts)
        assert list(ran) == [0] * 12
        assert len(sessions_of(bastion)) == 1
        assert connections.run(bastion, TRUE, timeout=PATIENCE).exit == 0


def test_a_hop_with_another_key_is_not_passed(own: Any, bastions: tuple[Any, Any]) -> None:
    first, second = bastions
    wrong = hop(first, "B-1", host_key=second.host().host_key)
    host = behind(own, wrong, credential=str(own.folder / "user"))
    with (
        Connections(Keys()) as connections,
        pytest.raises(Unreachable, match=r"경유 서버 B-1.*호스트 키") as caught,
    ):
        connections.run(host, TRUE, timeout=PATIENCE)
    assert caught.value.detail["hop"] == "B-1"
    assert caught.value.detail["hop_reason"] == "host_key"
    assert caught.value.detail["offered"] == first.host().host_key
    assert "Connection from" not in (own.folder / "log").read_text()


def test_a_server_behind_a_hop_is_verified_too(own: Any, bastions: tuple[Any, Any]) -> None:
    first, second = bastions
    key = str(own.folder / "user")
    host = behind(own, hop(first, "B-1"), credential=key, host_key=second.host().host_key)
    with Connections(Keys()) as connections, pytest.raises(Unreachable) as caught:
        connections.run(host, TRUE, timeout=PATIENCE)
    assert caught.value.detail["reason"] == "host_key"
    assert caught.value.detail["offered"] == own.host().host_key


class TestRefusal:
    def why(self, server: Any, host: Host) -> str:
        with Connections(server) as connections, pytest.raises(Unreachable) as caught:
            connections.run(host, TRUE, timeout=PATIENCE)
        return str(caught.value)

    def test_a_loop(self, sshd: Any) -> None:
        one, two = sshd.host(server_id="B-1"), sshd.host(server_id="B-2")
        assert "순환" in self.why(sshd, behind(sshd, one, two, one))
        assert "순환" in self.why(sshd, behind(sshd, sshd.host()))
        back = sshd.host(server_id="B-1", login=Login(bastions=("B-1",)))
        assert "순환" in self.why(sshd, behind(sshd, back))

    def test_an_unknown_hop(self, sshd: Any) -> None:
        host = sshd.host(login=Login(bastions=("B-1", "B-9")), hops=(sshd.host(server_id="B-1"),))
        assert "B-9" in self.why(sshd, host)
        lacking = sshd.host(server_id="B-1", login=Login(bastions=("B-8",)))
        assert "B-8" in self.why(sshd, behind(sshd, lacking))

    def test_a_blocked_hop(self, sshd: Any) -> None:
        blocked = sshd.host(server_id="B-1", blocked="host key")
        assert "차단" in self.why(sshd, behind(sshd, blocked))

    def test_a_server_without_an_address(self, sshd: Any) -> None:
        """It would be this machine."""
        assert "주소가 등록되어 있지 않습니다" in self.why(sshd, sshd.host(address=" "))
        hop = sshd.host(server_id="B-1", address="")
        assert "주소가 등록되어 있지 않습니다" in self.why(sshd, behind(sshd, hop))

    def test_a_hop_that_forwards_nothing(self, start_sshd: Callable[..., Any]) -> None:
        server = start_sshd(more="AllowTcpForwarding no")
        assert "AllowTcpForwarding" in self.why(
            server, behind(server, server.host(server_id="B-1"))
        )

    def test_a_server_that_the_hop_cannot_reach(self, sshd: Any) -> None:
        host = behind(sshd, sshd.host(server_id="B-1"), port=1)
        assert "B-1에서 127.0.0.1:1에 연결할 수 없습니다" in self.why(sshd, host)


@pytest.mark.slow
def test_a_dead_hop_fails_its_servers_at_once_and_alone(sshd: Any) -> None:
    asked: list[Any] = []
    limits = TransportLimits(login=0, connect=0.6)
    with raw_server(asked.append) as port, Connections(sshd, limits) as connections:
        dead = sshd.host(server_id="B-1", port=port)
        hosts = [behind(sshd, dead, server_id=f"S-{n}") for n in range(20)]
        with hang_guard("a hop that is known to be silent costs nothing"):
            for host in hosts:
                with pytest.raises(Unreachable, match="경유 서버 B-1"):
                    connections.run(host, TRUE, timeout=AN_HOUR)
        assert len(asked) == 1
        living = behind(sshd, sshd.host(server_id="B-2"), server_id="S-99")
        assert connections.run(living, TRUE, timeout=PATIENCE).exit == 0


@pytest.mark.slow
def test_a_lost_hop_is_replaced(own: Any, bastions: tuple[Any, Any]) -> None:
    first, _ = bastions
    host = behind(own, hop(first, "B-1"), credential=str(own.folder / "user"))
    with Connections(Keys()) as connections:
        assert connections.run(host, TRUE, timeout=PATIENCE).exit == 0
        before = sessions_of(first.host())
        break_connections(first.host())
        assert connections.run(host, TRUE, timeout=PATIENCE).exit == 0
        assert set(sessions_of(first.host())).isdisjoint(before)


def test_a_cancel_ends_a_command_behind_a_hop(sshd: Any) -> None:
    host, cancel = behind(sshd, sshd.host(server_id="B-1")), threading.Event()
    with Connections(sshd) as connections:
        command = Command.of("bash", "-c", "echo up; exec sleep 3600")
        output = connections.run(
            host, command, timeout=AN_HOUR, cancel=cancel, on_output=lambda *_: cancel.set()
        )
    assert output.is_confirmed_gone and output.exit is None
