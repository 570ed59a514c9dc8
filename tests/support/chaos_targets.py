"""Targets of the chaos runs: services in folders of their own on the practice fleet's servers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from guardia.org.directory import Host, Service

OLD, NEW = "1.0.0", "1.1.0"
CONTROL = """#!/bin/sh
# A restart writes a line, then takes a moment until the release answers.
[ "$1" = restart ] || exit 2
release=$(readlink {root}/current)
echo "${{release##*/}}" >> {root}/effects
sleep 0.2
echo "${{release##*/}}" > {root}/running.$$
mv -f {root}/running.$$ {root}/running
"""


@dataclass
class Target:
    """One service, and what was really done to it."""

    server_id: str
    root: Path

    def make(self) -> None:
        """Create the service: release `OLD` runs, `NEW` is ready."""
        for folder in (f"releases/{OLD}", f"releases/{NEW}", "logs", "run"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "current").symlink_to(f"releases/{OLD}")
        (self.root / "running").write_text(OLD)
        (self.root / "ctl").write_text(CONTROL.format(root=self.root))
        (self.root / "ctl").chmod(0o700)

    @property
    def effects(self) -> list[str]:
        """The releases that it was restarted with, in order."""
        file = self.root / "effects"
        return file.read_text().split() if file.exists() else []

    @property
    def running(self) -> str:
        """The release that answers."""
        return (self.root / "running").read_text().strip()

    @property
    def current(self) -> str:
        """The release that a restart would start."""
        return (self.root / "current").readlink().name

    def host(self, carrier: Host, port: int) -> Host:
        """Return it as a CMDB server of its own, behind a real SSH server of the fleet."""
        service = Service(
            name="app",
            kind="http",
            port=port,
            control=str(self.root / "ctl"),
            health=f"/{self.server_id}",
            root=str(self.root),
            logs=str(self.root / "logs"),
        )
        names = {"server_id": self.server_id, "institution": "MOF", "aliases": ()}
        return carrier.model_copy(update={**names, "kind": "WAS", "services": (service,)})


class TargetServer(ThreadingHTTPServer):
    """Answers for all targets with the release of their last restart; also receives messages."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, targets: dict[str, Target]) -> None:
        super().__init__(("127.0.0.1", 0), _TargetHandler)
        self.targets = targets
        self.posts: Counter[str] = Counter()


class _TargetHandler(BaseHTTPRequestHandler):
    server: TargetServer

    def do_GET(self) -> None:
        version = self.server.targets[self.path.strip("/")].running
        self._respond(json.dumps({"status": "UP", "version": version}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.posts[self.headers["idempotency-key"]] += 1
        self._respond(b"{}")

    def _respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
