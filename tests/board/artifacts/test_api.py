"""Uploads over HTTP: streamed, bounded in memory, and refused like any other request."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_env import PageClient, page_app, serve_app
from waiting import wait_until

from guardia.board.accounts import tokens
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

PUT = "/api/v3/artifacts/budget/1.0?file=budget.war"


@pytest.fixture
def app(web_env: Any, tmp_path: Path) -> Any:
    return page_app(web_env.board, home=tmp_path / "home", upload_megabytes=2)


def token(env: Any, person: PersonInfo, *actions: str) -> dict[str, str]:
    made = tokens.create_token(env.board, person, "build", actions, 1)
    return {"authorization": f"Bearer {made}"}


@pytest.mark.slow
def test_a_person_uploads_on_the_page_and_removes(
    sign_in_as: Callable[[str], PageClient], tmp_path: Path
) -> None:
    lead = sign_in_as("lead")
    content = bytes(range(256)) * 4096
    headers = {"x-csrf-token": lead.token("/artifacts")}
    made = lead.put(PUT, content=content, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json()["sha256"] == hashlib.sha256(content).hexdigest()
    html = lead.get_page("/artifacts").text
    assert "budget.war" in html and "1,048,576 B" in html and made.json()["sha256"][:12] in html
    again = lead.put(PUT, content=content, headers=headers)
    assert again.status_code == 422 and "이미 등록된" in again.json()["message"]
    number = made.json()["number"]
    engineer = sign_in_as("eng")
    assert "/remove" not in engineer.get_page("/artifacts").text
    assert engineer.submit_form(f"/artifacts/{number}/remove", "/artifacts").status_code == 403
    assert lead.submit_form(f"/artifacts/{number}/remove", "/artifacts").status_code == 303
    assert lead.get(f"/api/v3/artifacts/{number}").status_code == 404
    assert not [p for p in (tmp_path / "home/artifacts").rglob("*") if p.is_file()]


@pytest.mark.slow
def test_what_is_refused_leaves_nothing(
    sign_in_as: Callable[[str], PageClient], tmp_path: Path
) -> None:
    lead = sign_in_as("lead")
    headers = {"x-csrf-token": lead.token("/artifacts")}
    assert lead.put(PUT, content=b"x").status_code == 403  # not from one of our pages
    assert sign_in_as("cus").put(PUT, content=b"x", headers=headers).status_code == 403
    wrong = {**headers, "x-artifact-sha256": "0" * 64}
    assert lead.put(PUT, content=b"x", headers=wrong).status_code == 422
    signed = {**headers, "x-artifact-signature": "AAAA"}
    assert lead.put(PUT, content=b"x", headers=signed).status_code == 422

    def large() -> Iterator[bytes]:
        yield from (bytes(1 << 20) for _ in range(3))

    assert lead.put(PUT, content=bytes(3 << 20), headers=headers).status_code == 422
    assert lead.put(PUT, content=large(), headers=headers).status_code == 422
    assert lead.get("/api/v3/artifacts").json() == []
    assert not [p for p in (tmp_path / "home/artifacts").rglob("*") if p.is_file()]


@pytest.mark.slow
def test_a_file_of_a_gigabyte_is_never_in_memory(web_env: Any, tmp_path: Path) -> None:
    app = page_app(web_env.board, home=tmp_path / "home")
    head = token(web_env, _person(web_env, "lead"), "artifact.add", "artifact.read")
    piece, count = bytes(1 << 20), 1024
    before = _memory()
    with serve_app(app) as address, httpx.Client(base_url=address, timeout=600) as client:
        body = (piece for _ in range(count))
        made = client.put(PUT, content=body, headers=head)
    assert made.status_code == 201, made.text
    assert made.json()["size"] == count << 20
    assert _memory() - before < 200 << 20


def _memory() -> int:
    """Return the most memory that this process has used, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) << 10  # type: ignore[index]


def _person(env: Any, person_id: str) -> PersonInfo:
    with env.board.database.reading() as session:
        return session.get_one(Person, person_id).as_info()


@pytest.mark.slow
def test_the_connection_of_a_client_that_goes_away_leaves_nothing(
    web_env: Any, tmp_path: Path
) -> None:
    app = page_app(web_env.board, home=tmp_path / "home")
    head = token(web_env, _person(web_env, "lead"), "artifact.add")["authorization"]
    program = (
        "import os, socket, sys\n"
        "host, port, head = sys.argv[1:]\n"
        "s = socket.create_connection((host, int(port)))\n"
        f"first = 'PUT {PUT} HTTP/1.1'\n"
        "s.sendall(f'{first}\\r\\nHost: x\\r\\nAuthorization: {head}\\r\\n'.encode())\n"
        "s.sendall(b'Content-Length: 9000000\\r\\n\\r\\n' + bytes(3000000)); os._exit(0)"
    )
    folder = tmp_path / "home/artifacts/incoming"
    with serve_app(app) as address:
        host, port = address.removeprefix("http://").split(":")
        subprocess.run([sys.executable, "-c", program, host, port, head], check=True)
        assert wait_until(lambda: folder.exists() and not list(folder.iterdir()))
