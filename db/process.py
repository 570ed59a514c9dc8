"""Child processes that end when we end, and the state of processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import BinaryIO

from guardia.db import die_with_parent
from guardia.db.account import SystemAccount


@cache
def _starter() -> ThreadPoolExecutor:
    # The kernel ties a child to the thread that started it, so use one thread that stays.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres-starter")


os.register_at_fork(after_in_child=_starter.cache_clear)


CLEAN_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


def spawn(
    program: list[str],
    end_signal: int,
    account: SystemAccount | None,
    log: BinaryIO,
    *,
    lock: int | None = None,
    environment: Mapping[str, str] = CLEAN_ENVIRONMENT,
) -> subprocess.Popen[bytes]:
    """Start a program that receives `end_signal` when we end; it inherits the lock's descriptor."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            die_with_parent.command(
                program, end_signal, (account.uid, account.gid) if account else None
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd="/",
            umask=0o077,
            start_new_session=True,  # a terminal's Ctrl-C must reach us, not the server
            pass_fds=() if lock is None else (lock,),
        )

    if threading.current_thread() is threading.main_thread():
        return start()
    return _starter().submit(start).result()


def state_of(pid: int) -> str:
    """Return the letter of a process's state, as in `ps`; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def is_stopped(pid: int) -> bool:
    """Return whether a process was stopped by a signal, so that it answers nothing."""
    return state_of(pid) in {"T", "t"}


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition is true; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
