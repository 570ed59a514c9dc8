"""Child processes of one event loop: waited for, adopted, counted and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessInfo:
    """A line of the process table."""

    pid: int
    parent: int
    state: str

    @property
    def command(self) -> str:
        """Its command line, at most 200 characters; empty where it has just ended."""
        with suppress(OSError):
            raw = Path(f"/proc/{self.pid}/cmdline").read_bytes()
            return raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()[:200]
        return ""


def list_processes() -> list[ProcessInfo]:
    """All live processes that we can see."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, IndexError):
                text = Path(f"/proc/{entry}/stat").read_text("utf-8", errors="replace")
                state, parent = text.rpartition(")")[2].split()[:2]
                found.append(ProcessInfo(int(entry), int(parent), state))
    return [process for process in found if process.state not in "ZX"]


def descendants(root: int, *, without: tuple[int, ...] = ()) -> list[ProcessInfo]:
    """The descendants of ``root``, leaving out ``without`` and everything below those."""
    children: dict[int, list[ProcessInfo]] = defaultdict(list)
    for process in list_processes():
        children[process.parent].append(process)
    found, todo = [], [root]
    while todo:
        for process in children[todo.pop()]:
            if process.pid not in without:
                found.append(process)
                todo.append(process.pid)
    return found


def kill_descendants(seconds: float = 5.0) -> None:
    """Kill every descendant, also those that only become ours while we do it."""
    deadline = time.monotonic() + seconds
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        time.sleep(0.005)


class ChildReaper:
    """Waits for all children of this process: those that it starts and those that it inherits.

    asyncio's own subprocesses cannot be used beside it, since it collects every exit status.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[subprocess.Popen[bytes] | None, asyncio.Future[int]]] = {}
        self._loop.add_signal_handler(signal.SIGCHLD, self._collect)
        self._collect()

    def ended(self, child: subprocess.Popen[bytes] | int) -> asyncio.Future[int]:
        """The child's exit code (negative: its signal). Ask right after starting it."""
        future: asyncio.Future[int] = self._loop.create_future()
        known = None if isinstance(child, int) else child
        self._waiting[child if isinstance(child, int) else child.pid] = (known, future)
        return future

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child, future = self._waiting.pop(pid, (None, None))
            code = os.waitstatus_to_exitcode(status)
            if child is not None:
                child.returncode = code
            if future is not None and not future.done():
                future.set_result(code)
