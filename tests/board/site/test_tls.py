from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from board_env import BoardEnv
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from limited_board import limited_board
from page_env import PASSWORD, PageClient, page_app, run_server
from waiting import PATIENCE, wait_until

from guardia.board.site import tls
from guardia.board.site.server import BoardServer
from guardia.errors import Misconfigured
from guardia.settings import Settings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


def test_keys_of_every_form_are_accepted(authority: Authority) -> None:
    large = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for number, (key, form) in enumerate(
        [
            (None, PrivateFormat.PKCS8),
            (None, PrivateFormat.TraditionalOpenSSL),
            (large, PrivateFormat.PKCS8),
            (large, PrivateFormat.TraditionalOpenSSL),
        ]
    ):
        certificate, key_file = authority.issue(f"board{number}", key=key, form=form)
        assert tls.TlsFiles(certificate, key_file).context
        both = authority.folder / "both.pem"
        both.write_bytes(key_file.read_bytes() + certificate.read_bytes())
        assert tls.TlsFiles(both, None).context


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: b"\n\n  \n" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"".join(b"  " + line + b" \n" for line in content.splitlines()),
        lambda content: b"subject=CN = board\n" + content + b"\n\n",
    ],
    ids=["mark", "blank lines", "Windows", "blanks", "words"],
)
def test_files_from_editors_and_mails_are_accepted(
    authority: Authority, change: Callable[[bytes], bytes]
) -> None:
    certificate, key = authority.issue()
    assert tls.TlsFiles(changed(certificate, change), changed(key, change)).context


UNUSABLE: dict[str, tuple[Callable[[Authority], tuple[Path, Path]], str]] = {
    "expired": (lambda a: a.issue(days=(-30, -1)), "만료된 인증서"),
    "not yet valid": (lambda a: a.issue(days=(1, 30)), "아직 유효하지 않은"),
    "another key": (lambda a: (a.issue("board")[0], a.issue("other")[1]), "의 키가 아닙니다"),
    "a passphrase": (lambda a: a.issue(passphrase=b"secret"), "암호가 걸린"),
    "no certificate": (lambda a: (a.issue()[1], a.issue()[1]), "인증서가 없습니다"),
    "no key": (lambda a: (a.issue()[0], a.issue()[0]), "개인키가 없거나"),
    "cut": (
        lambda a: (changed(a.issue()[0], lambda c: c[:200]), a.issue("x")[1]),
        "인증서가 없습니다",
    ),
    "cut key": (
        lambda a: ((p := a.issue())[0], changed(p[1], lambda c: c[:90])),
        "개인키가 없거나",
    ),
    "empty": (lambda a: ((p := a.issue())[0], changed(p[1], lambda _: b"")), "개인키가 없거나"),
    "missing": (lambda a: (a.folder / "missing.pem", a.issue()[1]), "읽을 수 없습니다"),
    "a folder": (lambda a: (a.folder, a.issue()[1]), "읽을 수 없습니다"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_file_is_named_at_the_start(
    authority: Authority, env: BoardEnv, kind: str
) -> None:
    make, why = UNUSABLE[kind]
    certificate, key = make(authority)
    app = page_app(env.board, tls_certificate=certificate, tls_key=key)
    with pytest.raises(Misconfigured, match=why):
        BoardServer(app)


def test_a_key_alone_is_no_configuration(authority: Authority) -> None:
    with pytest.raises(Misconfigured, match="GUARDIA_TLS_CERTIFICATE"):
        tls.TlsFiles.of(Settings(tls_key=authority.issue()[1]))
    assert tls.TlsFiles.of(Settings()) is None


@pytest.fixture
def secure(web_env: BoardEnv, authority: Authority) -> Iterator[tuple[BoardServer, str]]:
    """The board over HTTPS."""
    certificate, key = authority.issue()
    app = page_app(web_env.board, tls_certificate=certificate, tls_key=key, hsts_seconds=600)
    with run_server(app) as (server, address):
        yield server, address.replace("http:", "https:")


def serial(site: str, authority: Authority) -> int:
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=authority.file)
    host, port = site.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        assert wrapped.version() in {"TLSv1.2", "TLSv1.3"}
        return int(wrapped.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]


def test_pages_over_https(secure: tuple[BoardServer, str], authority: Authority) -> None:
    _, site = secure
    context = ssl.create_default_context(cafile=authority.file)
    with httpx.Client(base_url=site, verify=context, timeout=PATIENCE) as client:
        page = client.get("/login")
        assert page.headers["strict-transport-security"] == "max-age=600"
        token = page.text.split('name="csrf" value="')[1].split('"')[0]
        form = {"account": "lead", "password": PASSWORD, "csrf": token}
        answer = client.post("/login", data=form)
        assert answer.status_code == 303
        cookies = answer.headers.get_list("set-cookie")
        assert all("secure" in c.lower() for c in cookies if "max-age=0" not in c.lower())
        assert client.get("/issues").status_code == 200


def test_old_protocols_are_refused(secure: tuple[BoardServer, str], authority: Authority) -> None:
    host, port = secure[1].removeprefix("https://").split(":")
    old = ssl.create_default_context(cafile=authority.file)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(plain, server_hostname=host)


def test_handshakes_that_never_end_shut_nobody_out(
    secure: tuple[BoardServer, str], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, site = secure
    host, port = site.removeprefix("https://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(30)]
    assert wait_until(lambda: len(server.book) == 30)
    assert serial(site, authority)
    server.book.end_overdue(float("inf"))
    assert silent[0].recv(10) == b"" and wait_until(lambda: len(server.book) == 0)
    for connection in silent:
        connection.close()


@pytest.mark.slow
def test_a_renewed_certificate_needs_no_restart(
    secure: tuple[BoardServer, str], authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    _, site = secure
    before = serial(site, authority)
    context = ssl.create_default_context(cafile=authority.file)
    with httpx.Client(base_url=site, verify=context, timeout=PATIENCE) as running:
        assert running.get("/healthz").status_code == 200
        certificate, key = authority.issue("next")
        shutil.copy(certificate, authority.folder / "board.pem")
        shutil.copy(key, authority.folder / "board.key")
        assert wait_until(lambda: serial(site, authority) != before)
        renewed = serial(site, authority)
        assert running.get("/healthz").status_code == 200
    with caplog.at_level(logging.ERROR):
        (authority.folder / "board.key").write_bytes(b"half a key")
        assert wait_until(lambda: "not replaced" in caplog.text)
    assert "board.key" in caplog.text and "half a key" not in caplog.text
    assert serial(site, authority) == renewed


@pytest.mark.slow
def test_a_hangup_reads_the_certificate_again(database: Any, authority: Authority) -> None:
    certificate, key = authority.issue()
    files = {"tls_certificate": str(certificate), "tls_key": str(key)}
    with limited_board(database.app, **files) as (site, pid, log):
        secure = site.replace("http:", "https:")
        assert serial(secure, authority)
        assert wait_until(
            lambda: (
                httpx.get(
                    f"{secure}/healthz", verify=ssl.create_default_context(cafile=authority.file)
                ).status_code
                == 200
            )
        )
        os.kill(pid, signal.SIGHUP)
        assert wait_until(lambda: "certificate replaced" in log.read_text())
        assert serial(secure, authority)


def test_over_plain_http_a_browser_need_not_use_https(env: BoardEnv) -> None:
    browser = PageClient(page_app(env.board, hsts_seconds=600))
    assert "strict-transport-security" not in browser.get_page("/login").headers
