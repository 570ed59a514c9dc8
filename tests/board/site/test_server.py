from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from limited_board import CHILD, HALVES, limited_board, open_half
from page_env import PAGE, PageClient, run_server
from waiting import PATIENCE, wait_until

from guardia.board.site import connection, permissions, server
from guardia.board.web import body_limits
from guardia.board.web.body_limits import BodyLimit


@pytest.mark.slow
def test_it_stops_at_once_while_pages_are_open(
    database: Any, sign_in_as: Callable[[str], PageClient]
) -> None:
    """Ctrl-C ends the process well before the timeout for open connections."""
    token = sign_in_as("lead").cookies["guardia_session"]
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(listener.fileno())],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdin
        child.stdin.write(database.app + "\n")
        child.stdin.close()
        with httpx.Client(cookies={"guardia_session": token}, timeout=PATIENCE) as client:
            assert client.get(f"{address}/healthz").status_code == 200
            with client.stream("GET", f"{address}/events") as stream:
                lines = stream.iter_lines()
                assert next(lines).startswith("retry:")
                os.kill(child.pid, signal.SIGINT)
                # Waiting for the open stream would take the hour set above.
                assert child.wait(PATIENCE) is not None
        assert child.stderr
        assert "graceful shutdown exceeded" not in child.stderr.read()
    finally:
        child.kill()
        child.wait()
        listener.close()


@pytest.mark.slow
def test_responses_are_sent_without_delay(anonymous: PageClient) -> None:
    """Headers and body are two packets; with Nagle's algorithm each answer would take 40 ms."""
    app = anonymous.app
    assert isinstance(app, FastAPI)
    with run_server(app) as (server, site), httpx.Client(timeout=PATIENCE) as client:
        assert client.get(f"{site}/healthz").status_code == 200
        (kept,) = server.server_state.connections
        accepted = kept.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.slow
def test_half_open_requests_shut_nobody_out(
    database: Any, sign_in_as: Callable[[str], PageClient]
) -> None:
    """1,100 connections at a limit of 1,024 files; the log hardly grows."""
    token = sign_in_as("lead").cookies["guardia_session"]
    with limited_board(database.app) as (site, pid, log), ExitStack() as stack:
        with httpx.Client(timeout=PATIENCE) as client:
            assert client.get(f"{site}/healthz").status_code == 200
        for half in HALVES.values():
            for opened in open_half(site, 275, half):
                stack.enter_context(opened)
        assert len(os.listdir(f"/proc/{pid}/fd")) < 1000
        cookies = {"guardia_session": token}
        with httpx.Client(cookies=cookies, timeout=PATIENCE, headers=PAGE) as person:
            for path, status in (("/issues", 200), ("/login", 200), ("/healthz", 200)):
                assert person.get(f"{site}{path}").status_code == status
            wrong = {"token": "x", "post_id": "p", "text": "정지"}
            assert person.post(f"{site}/intake/mattermost", json=wrong).status_code == 401
        assert log.stat().st_size < 20_000


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while more := connection.recv(65536):
            found += more
    return found


@pytest.mark.slow
def test_unfinished_and_idle_connections_end_by_themselves(
    anonymous: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.5)
    monkeypatch.setattr(server, "_IDLE_SECONDS", 1)
    limits = tuple(BodyLimit(one.prefix, one.bytes, 0.5) for one in body_limits.BODY_LIMITS)
    monkeypatch.setattr(body_limits, "BODY_LIMITS", limits)
    monkeypatch.setattr(server, "LONGEST_SECONDS", 2.0)
    app = anonymous.app
    assert isinstance(app, FastAPI)
    idle = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    twice = idle + b"GET /healthz HTT"
    with run_server(app) as (running, site), ExitStack() as stack:
        halves = {**HALVES, "idle": idle, "twice": twice}
        opened = {name: open_half(site, 1, sent)[0] for name, sent in halves.items()}
        for connection in opened.values():
            stack.enter_context(connection)
            connection.settimeout(PATIENCE)
        said = {name: read_to_end(connection)[:12] for name, connection in opened.items()}
        assert said == {
            "nothing": b"",
            "head": b"",
            "body": b"HTTP/1.1 408",
            "chunk": b"HTTP/1.1 408",
            "idle": b"HTTP/1.1 200",
            "twice": b"HTTP/1.1 200",
        }
        assert wait_until(lambda: len(running.book) == 0)


@pytest.mark.slow
def test_a_client_that_does_not_read_is_ended(
    anonymous: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DRAIN_SECONDS", 1.0)
    app = anonymous.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/static-flood", lambda: Response(b"x" * 30_000_000), methods=["GET"])
    app.state.rules["GET", "/static-flood"] = permissions.PUBLIC
    with run_server(app) as (running, site):
        (silent,) = open_half(site, 1, b"GET /static-flood HTTP/1.1\r\nhost: x\r\n\r\n")
        with silent:
            assert wait_until(lambda: len(running.server_state.connections) == 1)
            assert wait_until(lambda: not running.server_state.connections)
            assert len(running.book) == 0


def test_a_busy_board_says_so(anonymous: PageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are all being answered leave no place, which is a clear answer."""
    app = anonymous.app
    assert isinstance(app, FastAPI)
    with run_server(app) as (running, site):
        monkeypatch.setattr(running.book, "admit", lambda *_: None)
        assert httpx.get(f"{site}/healthz").status_code == 503


def test_the_limit_of_open_files_is_raised() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 900));"
        "from guardia.board.site.capacity import raise_file_limit; print(raise_file_limit(),"
        "resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "900 (900, 900)\n"
