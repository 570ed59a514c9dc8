"""A receiver of webhooks that verifies their signatures by the rules of GitHub's documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What arrived, and what is answered."""

    address: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"ok"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, str | None]]:
        """Event and action of each delivery."""
        return [
            (headers["x-github-event"], json.loads(body).get("action"))
            for headers, body in self.requests
        ]

    def payload(self, number: int = -1) -> dict[str, Any]:
        """Return the content of a delivery."""
        found: dict[str, Any] = json.loads(self.requests[number][1])
        return found

    def is_signed(self, secret: str, number: int = -1) -> bool:
        """Return whether a delivery was signed with the secret."""
        headers, body = self.requests[number]
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(headers["x-hub-signature-256"], f"sha256={expected}")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on loopback."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
