"""The recipes of docs/https.md, run with Debian's nginx and openssl."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from board_env import BoardEnv
from page_env import PASSWORD, page_app, run_server
from sqlalchemy import text
from waiting import PATIENCE, wait_until

from guardia.board.site import tls

DOCS = Path(__file__).resolve().parents[3] / "docs"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
MAIN = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {servers}
}}
"""


def block(document: str, language: str, number: int = 0) -> str:
    """A block of code in a document."""
    found = re.findall(rf"^```{language}\n(.*?)^```", (DOCS / document).read_text(), re.S | re.M)
    return str(found[number])


def certify(folder: Path, document: str = "https.md") -> None:
    """Run the document's own commands for an authority and a certificate."""
    for number in (0, 1):
        command = f"set -e\n{block(document, 'sh', number)}"
        subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Proxied:
    """The board behind nginx."""

    port: int
    plain_port: int
    folder: Path

    def client(self) -> httpx.Client:
        """A browser that trusts the authority and finds `board.example` on this machine."""
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"host": "board.example", "accept": "text/html"},
            transport=Named(verify=context),
            timeout=PATIENCE,
        )


class Named(httpx.HTTPTransport):
    """Asks for the board's name in the handshake."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = "board.example"
        return super().handle_request(request)


@pytest.fixture
def proxied(web_env: BoardEnv, tmp_path: Path) -> Iterator[Proxied]:
    assert NGINX, "apt install nginx-light (make debian)"
    certify(tmp_path)
    port, plain_port = free_port(), free_port()
    app = page_app(
        web_env.board, trusted_proxies="127.0.0.1", public_origin="https://board.example"
    )
    with run_server(app) as (_, site):
        servers = block("https.md", "nginx")
        for old, new in (
            ("127.0.0.1:8420", site.removeprefix("http://")),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("listen 80", f"listen 127.0.0.1:{plain_port}"),
            ("/etc/guardia", str(tmp_path)),
        ):
            assert old in servers
            servers = servers.replace(old, new)
        # Its workers must reach pytest's private folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(
            MAIN.format(folder=tmp_path, servers=servers, user=user)
        )
        command = [NGINX, "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")]
        running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            assert wait_until(lambda: listens(port) or running.poll() is not None)
            assert running.poll() is None, (tmp_path / "error.log").read_text()
            yield Proxied(port, plain_port, tmp_path)
        finally:
            running.terminate()
            running.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def sign_in(client: httpx.Client, password: str = PASSWORD, **headers: str) -> httpx.Response:
    page = client.get("/login")
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    cookies = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
    return client.post(
        "/login",
        data={"account": "lead", "password": password, "csrf": token},
        headers={"origin": "https://board.example", "cookie": cookies, **headers},
    )


@pytest.mark.slow
def test_the_recipe_of_the_documents_works(proxied: Proxied, web_env: BoardEnv) -> None:
    with proxied.client() as client:
        assert sign_in(client, origin="https://evil.example").status_code == 403
        answer = sign_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/issues")
        cookies = answer.headers.get_list("set-cookie")
        assert all("secure" in c.lower() for c in cookies if "max-age=0" not in c.lower())
        assert client.get("/issues").status_code == 200
        # A live page gets an event at once, although the response never ends.
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            web_env.create_issue()
            assert next(line for line in lines if line.startswith("event:")) == "event: issue"
        # Between the board's bound and nginx's own, the answer is the board's page.
        form = {"content-type": "application/x-www-form-urlencoded"}
        large = client.post("/issues", content=b"a" * 300_000, headers=form)
        assert large.status_code == 413 and "내용을 줄여" in large.text
        assert client.post("/issues", content=b"a" * 1_100_000, headers=form).status_code == 413
    plain = httpx.get(
        f"http://127.0.0.1:{proxied.plain_port}/issues?q=1", headers={"host": "board.example"}
    )
    assert plain.status_code == 308
    assert plain.headers["location"] == "https://board.example/issues?q=1"


@pytest.mark.slow
def test_a_client_cannot_choose_its_address(proxied: Proxied, web_env: BoardEnv) -> None:
    said = []
    for number in range(6):
        with proxied.client() as client:
            forged = {"x-forwarded-for": f"203.0.113.{number}", "forwarded": "for=203.0.113.9"}
            said.append(sign_in(client, "틀림", **forged).status_code)
    assert said == [401] * 5 + [429]
    with web_env.board.database.reading() as session:
        assert session.scalar(text("select count(distinct key) from tb_attempt")) == 3


@pytest.mark.parametrize("document", ["https.md", "https.ko.md"])
def test_the_authority_of_the_documents_issues_usable_certificates(
    tmp_path: Path, document: str
) -> None:
    certify(tmp_path, document)
    files = tls.TlsFiles(tmp_path / "board.pem", tmp_path / "board.key")
    before = (tmp_path / "board.pem").read_bytes()
    again = block(document, "sh", 1).split("\n", 2)[2]
    subprocess.run(["bash", "-ec", again], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "board.pem").read_bytes() != before
    assert files.reload()
