"""A worker that kills itself (SIGKILL) right after a change has reached the server.

`python die_after.py DSN FLEET KEYS AGENT` runs one beat of AGENT. The command is carried out for
real; the process is gone before the result can be stored.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from full_stack import open_full_stack

from guardia.heartbeat.beat import beat
from guardia.tools.lab.running_fleet import RunningFleet


class DyingTransport:
    """A transport that carries out a terminating command and then kills the process."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def run(self, host: Any, command: Any, *, timeout: float, **more: Any) -> Any:
        output = self._transport.run(host, command, timeout=timeout, **more)
        if "pg_terminate_backend" in command.render():
            os.kill(os.getpid(), signal.SIGKILL)
        return output

    def end(self, host: Any, tag: str) -> Any:
        return self._transport.end(host, tag)

    def close(self) -> None:
        self._transport.close()


if __name__ == "__main__":
    dsn, home, keys, agent = sys.argv[1:]
    with open_full_stack(dsn, RunningFleet.find(Path(home)), Path(keys), DyingTransport) as stack:
        beat(stack.board, lambda: stack.team, agent)
