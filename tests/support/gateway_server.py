"""A site's SMS gateway: an HTTP server that keeps what it receives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Sent:
    """One request to the gateway."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class GatewayServer(ThreadingHTTPServer):
    """Answers `status` and keeps every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[Sent] = []
        self.status = 200

    @property
    def url(self) -> str:
        """Address of the gateway."""
        return f"http://127.0.0.1:{self.server_port}/send"


class _Handler(BaseHTTPRequestHandler):
    server: GatewayServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.sent.append(Sent(self.command, self.path, headers, body))
        self.send_response(self.server.status)
        self.end_headers()

    do_GET = do_PUT = do_POST

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running_gateway() -> Iterator[GatewayServer]:
    """Run a gateway while the block lasts."""
    with GatewayServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()
