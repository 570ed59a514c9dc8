"""A small real service in the layout that the tools expect: releases, control script, pid file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from waiting import wait_until

from guardia.org.directory import Service

_APP = """
import http.server, json, os, signal, sys
root, version, status = sys.argv[1], {version!r}, {status}
level = lambda: open(root + "/conf/log_level").read().strip()
now = [level()]
signal.signal(signal.SIGHUP, lambda *_: now.__setitem__(0, level()))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"status": status, "version": version, "level": now[0]}})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer.request_queue_size = 2
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
"""

_CONTROL = """#!/bin/bash
root={root} pid={root}/run/{name}.pid
start() {{
  setsid {python} $root/current/app.py $root {port} >/dev/null 2>&1 </dev/null &
  echo $! > $pid
}}
stop() {{
  [ -f $pid ] || return 0
  kill -KILL $(cat $pid) 2>/dev/null
  while kill -0 $(cat $pid) 2>/dev/null; do sleep 0.02; done
  rm -f $pid
}}
echo "$1" >> $root/run/asked
case $1 in
  start) start ;; stop) stop ;; restart) stop; start ;;
  reload) kill -HUP $(cat $pid) ;;
  *) exit 2 ;;
esac
"""


class PracticeService:
    """One service; `asked` lists the verbs that its control script received."""

    def __init__(self, folder: Path, port: int, name: str = "budget") -> None:
        self.name, self.port = name, port
        self.root = folder / "srv" / name
        self.control = folder / "bin" / f"{name}ctl"
        for path in ("releases", "conf", "logs", "run"):
            (self.root / path).mkdir(parents=True)
        self.control.parent.mkdir()
        facts = {"root": self.root, "name": name, "port": port, "python": sys.executable}
        self.control.write_text(_CONTROL.format(**facts))
        self.control.chmod(0o755)
        (self.root / "conf" / "log_level").write_text("INFO\n")
        self.release("3.1.0", 200)
        self.release("3.1.1", 500)
        (self.root / "current").symlink_to("releases/3.1.0")

    def release(self, version: str, status: int) -> None:
        """Stage a release whose health check answers with `status`."""
        folder = self.root / "releases" / version
        folder.mkdir()
        (folder / "app.py").write_text(_APP.format(version=version, status=status))

    def service(self) -> Service:
        """Return it as a CMDB service."""
        return Service(
            name=self.name,
            kind="http",
            port=self.port,
            control=str(self.control),
            health="/health",
            root=str(self.root),
            logs=str(self.root / "logs"),
        )

    @property
    def pid(self) -> int:
        """Process id of its main process."""
        return int((self.root / "run" / f"{self.name}.pid").read_text())

    @property
    def asked(self) -> list[str]:
        """The verbs that the control script received, in order."""
        path = self.root / "run" / "asked"
        return path.read_text().split() if path.exists() else []

    def start(self) -> None:
        """Start it and wait until it listens."""
        subprocess.run([self.control, "start"], check=True)
        assert wait_until(self._listens)

    def stop(self) -> None:
        """Kill it; a foreign process in the pid file is not touched."""
        with suppress(OSError, ValueError):
            if str(self.root).encode() in Path(f"/proc/{self.pid}/cmdline").read_bytes():
                os.kill(self.pid, signal.SIGKILL)
                wait_until(lambda: not self._listens())

    def _listens(self) -> bool:
        return f":{self.port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()
