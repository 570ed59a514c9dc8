"""The certificate of a real TLS server, over real SSH."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from waiting import hang_guard

from guardia.errors import CommandFailed
from guardia.org.directory import Service

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]


def write_certificate(
    path: Path, end: datetime, *names: str, begin: datetime | None = None, chain: bytes = b""
) -> bytes:
    """Write a key and its certificate, then `chain`. Returns the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "교육부"),
            x509.NameAttribute(NameOID.COMMON_NAME, (names or ("homepage.test",))[0]),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin or end - timedelta(days=90))
        .not_valid_after(end)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
        builder = builder.add_extension(alternatives, critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem + certificate + chain)
    return certificate


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version": "7"}')

    def log_message(self, *_: object) -> None:
        pass


def context_of(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def homepage(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    servers = []

    def start(context: ssl.SSLContext, *names: str, address: str = "127.0.0.1") -> Service:
        kind = type("Server", (http.server.ThreadingHTTPServer,), {})
        if ":" in address:
            kind.address_family = socket.AF_INET6
        server = kind((address, 0), Answer)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        port = server.server_port
        return Service(name="homepage", kind="tls", port=port, health="/health", tls_names=names)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.mark.parametrize("days", [-3, 10, 3650])
def test_remaining_days(ask: Ask, sshd: Any, homepage: Any, tmp_path: Path, days: int) -> None:
    end = NOW + timedelta(days=days, hours=6)
    write_certificate(tmp_path / "pem", end, begin=NOW - timedelta(days=90))
    service = homepage(context_of(tmp_path / "pem"))
    found = ask("certificate.expiry", sshd.host(service), service="homepage")
    assert found["subject"] == "CN=homepage.test,O=교육부"
    assert (found["not_after"], found["days"]) == (end.isoformat(), days)
    assert (found["valid"], found["starts_in_days"]) == (days > 0, 0)


@pytest.mark.parametrize("hours", [5, 100])
def test_a_certificate_that_is_not_yet_valid(
    ask: Ask, sshd: Any, homepage: Any, tmp_path: Path, hours: int
) -> None:
    begin = NOW + timedelta(hours=hours)
    write_certificate(tmp_path / "pem", NOW + timedelta(days=90), begin=begin)
    service = homepage(context_of(tmp_path / "pem"))
    found = ask("certificate.expiry", sshd.host(service), service="homepage")
    assert (found["valid"], found["not_before"]) == (False, begin.isoformat())
    assert found["starts_in_days"] == hours // 24 + 1


def test_each_site_of_a_port_has_its_own_certificate(
    ask: Ask, sshd: Any, homepage: Any, tmp_path: Path
) -> None:
    """The first certificate names one further site, the CMDB another."""
    long, short = NOW + timedelta(days=300, hours=6), NOW + timedelta(days=5, hours=6)
    write_certificate(tmp_path / "main", long, "www.moe.test", "edu.moe.test")
    write_certificate(tmp_path / "edu", short, "edu.moe.test")
    sites = {"edu.moe.test": context_of(tmp_path / "edu")}
    context = context_of(tmp_path / "main")

    def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        if name in sites:
            connection.context = sites[name]

    context.set_servername_callback(choose)
    service = homepage(context, "portal.moe.test")
    found = ask("certificate.expiry", sshd.host(service), service="homepage")
    shown = {s["name"]: (s["days"], s["matches"]) for s in found["sites"]}
    assert shown == {
        "-": (300, True),
        "portal.moe.test": (300, False),
        "www.moe.test": (300, True),
        "edu.moe.test": (5, True),
    }
    assert (found["name"], found["matches"]) == ("portal.moe.test", False)


def test_an_intermediate_certificate_that_ends_first(
    ask: Ask, sshd: Any, homepage: Any, tmp_path: Path
) -> None:
    chain = write_certificate(tmp_path / "ca", NOW + timedelta(days=4, hours=6), "ca.test")
    write_certificate(tmp_path / "pem", NOW + timedelta(days=300), chain=chain)
    service = homepage(context_of(tmp_path / "pem"))
    found = ask("certificate.expiry", sshd.host(service), service="homepage")
    assert (found["days"], found["subject"]) == (4, "CN=homepage.test,O=교육부")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "0.0.0.0", "::1", "::"])
@pytest.mark.slow
def test_health_and_certificate_find_the_service_alike(
    ask: Ask, sshd: Any, homepage: Any, tmp_path: Path, address: str
) -> None:
    write_certificate(tmp_path / "pem", NOW + timedelta(days=9, hours=6))
    try:
        service = homepage(context_of(tmp_path / "pem"), address=address)
    except OSError:
        pytest.skip("this machine has no IPv6")
    host = sshd.host(service)
    health = ask("service.health", host, service="homepage")
    assert (health["answered"], health["status"], health["version"]) == (True, 200, "7")
    assert ask("certificate.expiry", host, service="homepage")["days"] == 9


@pytest.mark.slow
def test_a_port_without_tls_has_no_certificate(ask: Ask, sshd: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = Service(name="homepage", kind="tls", port=silent.getsockname()[1])
        with (
            hang_guard("the limit for an answer ends it"),
            pytest.raises(CommandFailed, match="no certificate"),
        ):
            ask("certificate.expiry", sshd.host(service), service="homepage")
