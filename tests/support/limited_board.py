"""A board in a process of its own with a limit of open files, and clients that never finish."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiting import PATIENCE

CHILD = """
import socket, sys
from guardia import logs
from guardia.board.core.keyless import keyless_context
from guardia.board.site.app import create_app
from guardia.board.site.server import BoardServer
from guardia.db.engine import Database
from guardia.settings import Settings

logs.configure(None, 10)
listener = socket.socket(fileno=int(sys.argv[1]))
board = keyless_context(Database(sys.stdin.readline().strip()))
server = BoardServer(create_app(board, Settings()))
server.config.timeout_graceful_shutdown = 3600
server.run([listener])
"""


@contextmanager
def limited_board(dsn: str, files: int = 1024, **settings: str) -> Iterator[tuple[str, int, Path]]:
    """A board in a process with a limit of open files; yields its address, id and log."""
    listener = socket.create_server(("127.0.0.1", 0))
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))\n"
    environment = {**os.environ, **{f"GUARDIA_{k.upper()}": v for k, v in settings.items()}}
    with tempfile.NamedTemporaryFile(prefix="guardia-board-") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", limit + CHILD, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stderr=log,
            stdout=log,
            text=True,
            env=environment,
        )
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        try:
            assert child.stdin
            child.stdin.write(dsn + "\n")
            child.stdin.close()
            yield address, child.pid, Path(log.name)
        finally:
            child.kill()
            child.wait()


def open_half(site: str, count: int, sent: bytes) -> list[socket.socket]:
    """Open connections that send only the beginning of a request."""
    host, port = site.removeprefix("http://").split(":")
    opened = []
    for _ in range(count):
        with suppress(OSError):
            connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
            opened.append(connection)
            connection.sendall(sent)
    return opened


HALVES = {
    "nothing": b"",
    "head": b"GET /issues HTTP/1.1\r\nhost: x\r\nx-slow: ",
    "body": b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n"
    b"content-type: application/x-www-form-urlencoded\r\n\r\naccount=",
    "chunk": b"POST /intake/mattermost HTTP/1.1\r\nhost: x\r\n"
    b"transfer-encoding: chunked\r\n\r\nff\r\n",
}
