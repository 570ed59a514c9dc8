"""Application server of the fleet: small and real, it fails with its release and its volume.

Standard library only; runs from a release folder, whose `app.json` gives `version`, `title` and
whether it is `broken`. `GET /` is a page, `GET /health` a JSON report: 200, or 500 if the release
is broken or the log volume cannot be written. `conf/log_level` is read at the start and on SIGHUP;
at DEBUG it logs far too much.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

ACCESS_LIMIT = 1_000_000
REQUEST_LIMIT = 16_384
PROBE = b"x" * 8192
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


def stamp() -> str:
    """Return the current time in UTC, in seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class LogFiles:
    """Log files of the application; a full volume never keeps it from responding."""

    def __init__(self, root: Path, folder: Path, debug_limit: int) -> None:
        self._level_file = root / "conf" / "log_level"
        self._folder = folder
        self._debug_limit = debug_limit
        self._flooding = threading.Event()
        self.level = "INFO"

    def write(self, name: str, text: str) -> None:
        """Append a line; it is lost if there is no space."""
        with suppress(OSError):
            path = self._folder / name
            if path.exists() and path.stat().st_size > ACCESS_LIMIT:
                path.replace(path.with_suffix(".log.1"))
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{stamp()} {text}\n")

    def read_level(self) -> None:
        """Apply the configured level."""
        with suppress(OSError):
            self.level = self._level_file.read_text("ascii", errors="replace").strip().upper()
        self.write("app.log", f"INFO log level is {self.level}")
        if self.level in ("DEBUG", "TRACE"):
            self._flooding.set()
        else:
            self._flooding.clear()

    def flood_debug_log(self) -> None:
        """Write debug lines in a thread for as long as the level asks for them."""
        detail = (
            "DEBUG pool.checkout connection=%d waited=0ms statement=select budget.line state=ok"
        )
        block = "".join(f"{{0}} {detail % n}\n" for n in range(600))
        path = self._folder / "app-debug.log"
        while True:
            self._flooding.wait()
            try:
                self._append(path, block.replace("{0}", stamp()).encode())
                time.sleep(0.006)
            except OSError:
                time.sleep(0.25)

    def _append(self, path: Path, block: bytes) -> None:
        # Opened for appending each time, so that truncating the file really frees the space.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if self._debug_limit and os.fstat(file).st_size > self._debug_limit:
                os.ftruncate(file, 0)
            while block:
                block = block[os.write(file, block) :]
        finally:
            os.close(file)

    def volume_error(self) -> str | None:
        """Return what is wrong with the volume, or `None`; writes a real probe file."""
        path = self._folder / f".probe-{threading.get_ident()}"
        try:
            path.write_bytes(PROBE)
        except OSError as error:
            return error.strerror or str(error)
        finally:
            path.unlink(missing_ok=True)
        return None


class Application:
    """The behavior of a release."""

    def __init__(self, release: dict[str, Any], logs: LogFiles) -> None:
        self._release = release
        self._logs = logs
        self._since = time.monotonic()

    def respond(self, method: str, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        path = path.partition("?")[0]
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", b"method not allowed\n"
        if path == "/health":
            return self._health()
        if path == "/":
            return 200, "text/html; charset=utf-8", self._page().encode()
        return 404, "text/plain", b"not found\n"

    def _health(self) -> tuple[int, str, bytes]:
        checks = {
            "application": "migration failed" if self._release.get("broken") else "ok",
            "logs": self._logs.volume_error() or "ok",
        }
        good = all(value == "ok" for value in checks.values())
        report = {
            "status": "UP" if good else "DOWN",
            "version": self._release["version"],
            "uptime_seconds": round(time.monotonic() - self._since),
            "checks": checks,
        }
        return 200 if good else 500, "application/json", json.dumps(report).encode() + b"\n"

    def _page(self) -> str:
        title, version = self._release.get("title", ""), self._release["version"]
        return (
            f'<!doctype html><html lang="ko"><meta charset="utf-8"><title>{title}</title>'
            f"<h1>{title}</h1><p>{version}</p></html>\n"
        )


class HttpServer:
    """HTTP/1.0 over plain sockets: one thread and one response per connection."""

    def __init__(
        self, application: Application, logs: LogFiles, tls: ssl.SSLContext | None
    ) -> None:
        self._application = application
        self._logs = logs
        self._tls = tls

    def serve(self, listening: socket.socket) -> None:
        """Accept connections forever."""
        while True:
            connection, _peer = listening.accept()
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            connection.settimeout(5)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._exchange(connection)
        connection.close()

    def _exchange(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < REQUEST_LIMIT:
            part = connection.recv(4096)
            if not part:
                break
            request += part
        words = request.split(b"\r\n", 1)[0].decode("latin-1").split()
        method, path = (words[0], words[1]) if len(words) == 3 else ("", "")
        status, kind, body = (
            self._application.respond(method, path) if method else (400, "text/plain", b"")
        )
        head = f"HTTP/1.0 {status} {REASONS.get(status, 'Internal Server Error')}\r\n"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1") + (b"" if method == "HEAD" else body))
        if method:
            self._logs.write("access.log", f'127.0.0.1 "{method} {path[:200]}" {status}')


def exit_on_signal(_number: int, _frame: FrameType | None) -> None:
    """End at once: there is no state to save."""
    os._exit(0)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    for name in ("--root", "--logs", "--name", "--port"):
        parser.add_argument(name, required=True)
    parser.add_argument("--tls", action="store_true", help="conf/tls.crt and conf/tls.key")
    parser.add_argument("--debug-limit", type=int, default=0, help="bytes of the debug log")
    return parser.parse_args()


def main() -> None:
    """Listen first, then report ready."""
    given = parse_arguments()
    root = Path(given.root)
    release = json.loads(Path("app.json").read_text("utf-8"))
    logs = LogFiles(root, Path(given.logs), given.debug_limit)
    signal.signal(signal.SIGTERM, exit_on_signal)
    signal.signal(signal.SIGHUP, lambda _number, _frame: logs.read_level())
    tls = None
    if given.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(root / "conf" / "tls.crt", root / "conf" / "tls.key")
    listening = socket.create_server(("127.0.0.1", int(given.port)), backlog=64)
    logs.write("app.log", f"INFO version {release['version']} listens on port {given.port}")
    logs.read_level()
    threading.Thread(target=logs.flood_debug_log, daemon=True).start()
    (root / "run" / f"{given.name}.ready").write_text(str(os.getpid()), "ascii")
    HttpServer(Application(release, logs), logs, tls).serve(listening)


if __name__ == "__main__":
    main()
