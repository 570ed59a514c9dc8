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


def write_certificate(path: Path, end: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "교육부"),
            x509.NameAttribute(NameOID.COMMON_NAME, "homepage.test"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version": "7"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def homepage(tmp_path: Path) -> Iterator[Callable[[datetime], Service]]:
    servers = []

    def start(end: datetime) -> Service:
        write_certificate(tmp_path / "pem", end)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "pem")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return Service(name="homepage", kind="tls", port=server.server_port, health="/health")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("days", [-3, 10, 3650])
def test_remaining_days(ask: Ask, sshd: Any, homepage: Any, days: int) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days, hours=6)
    found = ask("certificate.expiry", sshd.host(homepage(end)), service="homepage")
    assert found == {
        "subject": "CN=homepage.test,O=교육부",
        "not_after": end.isoformat(),
        "days": days,
    }


def test_health_is_checked_over_tls(ask: Ask, sshd: Any, homepage: Any) -> None:
    host = sshd.host(homepage(datetime.now(UTC) + timedelta(days=9)))
    found = ask("service.health", host, service="homepage")
    assert (found["answered"], found["status"], found["version"]) == (True, 200, "7")


@pytest.mark.slow
def test_a_port_without_tls_has_no_certificate(ask: Ask, sshd: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = Service(name="homepage", kind="tls", port=silent.getsockname()[1])
        with (
            hang_guard("the limit for an answer ends it"),
            pytest.raises(CommandFailed, match="no certificate"),
        ):
            ask("certificate.expiry", sshd.host(service), service="homepage")
