"""Who a server is, over real SSH: its pinned key, or a certificate of a known authority."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openssh_server import make_key
from waiting import PATIENCE

from guardia.errors import Unreachable
from guardia.org.directory import Host, Login
from guardia.tools.command import Command
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities."""
    folder = tmp_path_factory.mktemp("ca")
    for name, kind in (("ca", "ed25519"), ("other", "rsa"), ("ecdsa", "ecdsa")):
        make_key(folder / name, kind)
    return folder


def certify(server: Any, authority: Path, *options: str) -> None:
    """Give a server a host certificate, which its next connection presents."""
    words = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options]
    subprocess.run([*words, str(server.folder / "host.pub")], check=True)


@pytest.fixture
def certified(start_sshd: Callable[..., Any], tmp_path: Path, authorities: Path) -> Any:
    """A server that presents a host certificate; it reads a new one when it restarts."""
    found = start_sshd()
    certify(found, authorities / "ca", "-h", "-n", "x")
    with (found.folder / "sshd_config").open("a") as config:
        config.write(f"\nHostCertificate {found.folder}/host-cert.pub\n")
    return found


def run(server: Any, host: Host) -> None:
    server.restart()
    with Connections(server) as connections:
        assert connections.run(host, Command.of("true"), timeout=PATIENCE).exit == 0


def by(server: Any, *authorities: Path, **changed: object) -> Host:
    text = "\n".join(path.with_suffix(".pub").read_text() for path in authorities)
    return server.host(host_key="", login=Login(host_ca=text), **changed)


class TestAuthority:
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["ca", "other", "ecdsa"])
    def test_a_certified_server_needs_no_pinned_key(
        self, certified: Any, authorities: Path, kind: str
    ) -> None:
        certify(certified, authorities / kind, "-h", "-n", "a.go.kr,127.0.0.*")
        run(certified, by(certified, authorities / "ca", authorities / kind))

    def test_its_id_in_the_cmdb_is_a_name_too(self, certified: Any, authorities: Path) -> None:
        certify(certified, authorities / "ca", "-h", "-n", "test-01")
        run(certified, by(certified, authorities / "ca"))

    @pytest.mark.parametrize(
        ("options", "signed_by", "expected"),
        [
            (("-h", "-n", "127.0.0.1"), "other", "호스트 키가 등록된 키와 다릅니다"),
            (("-h", "-n", "10.0.0.1"), "ca", "서버 ID가 들어 있지"),
            (("-h",), "ca", "서버 ID가 들어 있지"),
            (("-h", "-n", "127.0.0.1", "-V", "20200101:20200102"), "ca", "유효 기간이 아닙니다"),
            (("-h", "-n", "127.0.0.1", "-V", "+1d:+2d"), "ca", "유효 기간이 아닙니다"),
        ],
    )
    def test_any_other_certificate_is_refused_before_login(
        self,
        certified: Any,
        authorities: Path,
        options: tuple[str, ...],
        signed_by: str,
        expected: str,
    ) -> None:
        certify(certified, authorities / signed_by, *options)
        with pytest.raises(Unreachable, match=expected):
            run(certified, by(certified, authorities / "ca"))
        assert "Accepted" not in (certified.folder / "log").read_text()

    def test_a_plain_key_is_no_certificate(self, sshd: Any, authorities: Path) -> None:
        host = by(sshd, authorities / "ca")
        with Connections(sshd) as connections, pytest.raises(Unreachable, match="HostCertificate"):
            connections.run(host, Command.of("true"), timeout=PATIENCE)

    @pytest.mark.parametrize("text", ["nonsense", "ssh-ed25519 !!!"])
    def test_an_unreadable_authority_is_trusted_by_none(self, sshd: Any, text: str) -> None:
        host = sshd.host(login=Login(host_ca=text))
        with Connections(sshd) as connections, pytest.raises(Unreachable, match="CMDB"):
            connections.run(host, Command.of("true"), timeout=PATIENCE)


class TestOfferedKey:
    def test_a_changed_key_is_carried_by_the_error(self, own: Any, sshd: Any) -> None:
        with Connections(own) as connections, pytest.raises(Unreachable) as caught:
            connections.run(
                own.host(host_key=sshd.host().host_key), Command.of("true"), timeout=PATIENCE
            )
        assert caught.value.detail["reason"] == "host_key"
        assert caught.value.detail["offered"] == own.host().host_key

    @pytest.mark.slow
    def test_a_key_of_another_type_is_a_changed_key(self, own: Any, tmp_path: Path) -> None:
        make_key(tmp_path / "k", "rsa")
        pinned = " ".join((tmp_path / "k.pub").read_text().split()[:2])
        with Connections(own) as connections, pytest.raises(Unreachable) as caught:
            connections.run(own.host(host_key=pinned), Command.of("true"), timeout=PATIENCE)
        assert caught.value.detail["reason"] == "host_key"
        assert caught.value.detail["offered"] == own.host().host_key

    def test_it_is_read_without_signing_in(self, own: Any) -> None:
        with Connections(own) as connections:
            assert connections.offered_key(own.host(host_key="")) == own.host().host_key
        assert "Accepted" not in (own.folder / "log").read_text()
