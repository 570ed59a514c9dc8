"""Child processes of one event loop: reap, adopt, list and kill them."""

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
    """An entry of the process table."""

    pid: int
    parent: int
    state: str

    @property
    def command(self) -> str:
        """Its command line, at most 200 characters; empty if it has just ended."""
        with suppress(OSError):
            raw = Path(f"/proc/{self.pid}/cmdline").read_bytes()
            return raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()[:200]
        return ""


def list_processes() -> list[ProcessInfo]:
    """Return all live processes that this process can see."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, IndexError):
                text = Path(f"/proc/{entry}/stat").read_text("utf-8", errors="replace")
                state, parent = text.rpartition(")")[2].split()[:2]
                found.append(ProcessInfo(int(entry), int(parent), state))
    return [process for process in found if process.state not in "ZX"]


def descendants(root: int, *, without: tuple[int, ...] = ()) -> list[ProcessInfo]:
    """Return the descendants of `root`, without the subtrees of `without`."""
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
    """Kill every descendant, including those that are adopted in the process."""
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
    """Waits for all children of this process, started or inherited.

    Incompatible with the subprocesses of asyncio, because it collects every exit status.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[subprocess.Popen[bytes] | None, asyncio.Future[int]]] = {}
        self._loop.add_signal_handler(signal.SIGCHLD, self._collect)
        self._collect()

    def exit_code(self, child: subprocess.Popen[bytes] | int) -> asyncio.Future[int]:
        """Return the future exit code of a child (negative: signal). Call right after the start."""
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
