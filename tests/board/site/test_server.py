from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from page_env import PageClient, run_server
from waiting import PATIENCE

CHILD = """
import socket, sys
from guardia.board.core.keyless import keyless_context
from guardia.board.site.app import create_app
from guardia.board.site.server import BoardServer
from guardia.db.engine import Database
from guardia.settings import Settings

listener = socket.socket(fileno=int(sys.argv[1]))
board = keyless_context(Database(sys.stdin.readline().strip()))
server = BoardServer(create_app(board, Settings()))
server.config.timeout_graceful_shutdown = 3600
server.run([listener])
"""


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


def test_responses_are_sent_without_delay(anonymous: PageClient) -> None:
    """Headers and body are two packets; with Nagle's algorithm each answer would take 40 ms."""
    app = anonymous.app
    assert isinstance(app, FastAPI)
    with run_server(app) as (server, site), httpx.Client(timeout=PATIENCE) as client:
        assert client.get(f"{site}/healthz").status_code == 200
        (kept,) = server.server_state.connections
        accepted = kept.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
