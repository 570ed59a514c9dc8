"""Connecting over real SSH: which keys are trusted, and why a server is unreachable."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from waiting import AN_HOUR, PATIENCE, hang_guard

from guardia.errors import Misconfigured, Unreachable
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.sockets import open_socket

pytestmark = pytest.mark.ssh


class TestTrust:
    def test_another_host_key_is_refused_before_login(
        self, own: Any, sshd: Any, short_folder: Path
    ) -> None:
        changed = own.host(host_key=sshd.host().host_key)
        with (
            Connections(own) as connections,
            pytest.raises(Unreachable, match="호스트 키가 등록된"),
        ):
            connections.run(changed, Command.of("true"), timeout=PATIENCE)
        assert "Accepted" not in (own.folder / "log").read_text()

    @pytest.mark.slow
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
    def test_without_a_pinned_key_no_server_is_trusted(self, sshd: Any, key: str) -> None:
        with Connections(sshd) as connections, pytest.raises(Unreachable, match="CMDB"):
            connections.run(sshd.host(host_key=key), Command.of("true"), timeout=PATIENCE)

    @pytest.mark.slow
    @pytest.mark.parametrize("key_type", ["rsa", "ecdsa"])
    def test_host_keys_of_other_types_work(
        self, start_sshd: Callable[..., Any], key_type: str
    ) -> None:
        server = start_sshd(key_type=key_type)
        with Connections(server) as connections:
            assert connections.run(server.host(), Command.of("true"), timeout=PATIENCE).exit == 0

    def test_a_rejected_user_key_is_unreachable(self, own: Any, sshd: Any) -> None:
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
    def test_connection_refused(self, sshd: Any) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            host = sshd.host(port=bound.getsockname()[1])
            with Connections(sshd) as connections, pytest.raises(Unreachable, match="연결 거부"):
                connections.run(host, Command.of("true"), timeout=PATIENCE)

    @pytest.mark.slow
    def test_a_silent_server_times_out(self, sshd: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = sshd.host(port=silent.getsockname()[1])
            limits = TransportLimits(login=0, connect=1.0)
            with (
                hang_guard("the limit for connecting ends it"),
                Connections(sshd, limits) as connections,
                pytest.raises(Unreachable),
            ):
                connections.run(host, Command.of("true"), timeout=AN_HOUR)


@pytest.mark.slow
@pytest.mark.parametrize("login", [0.0, PATIENCE])
def test_a_server_that_is_slow_to_sign_in_is_waited_for(sshd: Any, login: float) -> None:
    # It accepts the connection at once, and then asks a name server that does not answer.
    proxy = CuttingProxy(sshd.host().port, after=0, cuts=0, late=1.5)
    limits = TransportLimits(connect=0.5, login=login)
    waited = nullcontext() if login else pytest.raises(Unreachable, match="응답")
    with closing(proxy), Connections(sshd, limits) as connections, waited:
        host = sshd.host(port=proxy.port)
        assert connections.run(host, Command.of("true"), timeout=PATIENCE).exit == 0


def test_small_packets_are_not_delayed(sshd: Any) -> None:
    with closing(open_socket(sshd.host(), 5)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
