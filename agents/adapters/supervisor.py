"""Run a program so that nothing of it outlives its turn: limits before, nothing left after.

``python -I -S ward.py LIFE ACCOUNT LIMITS PROGRAM [ARGUMENT...]``: runs PROGRAM as a child under
ACCOUNT (``-`` or ``UID:GID``) and LIMITS (``processes:data:cpu:file``, as the kernel counts them).
When the program ends, or LIFE (a socket's descriptor) is closed because our starter ended it or
died, every process that it has left is killed, wherever it has hidden: all of them stay our
descendants. Then ``CODE LEFT`` is written to LIFE.

Standard library only and importable without GUARDiA, because it runs before anything is reachable.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_KILL_TIMEOUT = 10.0
"""Seconds to go on killing what goes on forking."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Start the program, wait for its end or ours, leave nothing behind."""
    control_fd_text, account, limits, *program = arguments
    control_fd = int(control_fd_text)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child_events = _child_events()
    child = os.fork()
    if child == 0:
        os.close(control_fd)
        _exec_program(account, limits, program)
    codes: dict[int, int] = {}
    while (
        child not in codes
        and control_fd not in select.select([child_events, control_fd], [], [])[0]
    ):
        with suppress(BlockingIOError):
            os.read(child_events, 4096)
        codes |= _reap()
    left = kill_descendants(codes)
    with suppress(OSError):
        os.write(control_fd, f"{codes.get(child, -signal.SIGKILL)} {left}".encode())


def _child_events() -> int:
    """A descriptor that can be read whenever a child has ended."""
    child_events, writer = os.pipe()
    os.set_blocking(child_events, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return child_events


def _reap() -> dict[int, int]:
    """Exit codes of the children, ours and adopted ones, that have ended since."""
    codes: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            codes[found[0]] = os.waitstatus_to_exitcode(found[1])
    return codes


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _exec_program(account: str, limits: str, program: list[str]) -> None:
    """In the child: drop every right, take the limits, become the program."""
    try:
        os.setsid()
        numbers = [int(part) for part in account.split(":")] if account != "-" else None
        processes, data, cpu, file = (int(part) for part in limits.split(":"))
        present = _count_tasks(numbers[0] if numbers else os.getuid())
        _set_limit(resource.RLIMIT_CORE, 0)
        _set_limit(resource.RLIMIT_DATA, data)
        _set_limit(resource.RLIMIT_CPU, cpu)
        _set_limit(resource.RLIMIT_FSIZE, file)
        _set_limit(resource.RLIMIT_NPROC, present + processes)
        if numbers:
            os.setgroups([])
            os.setresgid(numbers[1], numbers[1], numbers[1])
            os.setresuid(numbers[0], numbers[0], numbers[0])
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.umask(0o077)
        os.execvp(program[0], program)
    except BaseException as error:  # whatever it is, this child must not go on as its parent
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(127)


def _set_limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _count_tasks(uid: int) -> int:
    """Processes and threads that an account has already; the kernel's limit counts them too."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{entry}/task"))
    return count


def kill_descendants(codes: dict[int, int]) -> int:
    """Kill every descendant until none is left; how many there were at first.

    Their exit codes go into ``codes``.
    """
    deadline = time.monotonic() + _KILL_TIMEOUT
    first = left = descendants(os.getpid())
    while left and time.monotonic() < deadline:
        # Stopped first, so that nothing forks while others are being killed.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        time.sleep(0.005)
        codes |= _reap()
        left = descendants(os.getpid())
    return len(first)


def descendants(root: int) -> list[int]:
    """The live descendants of a process."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, IndexError):
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    children.setdefault(int(parent), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        for pid in children.get(todo.pop(), []):
            found.append(pid)
            todo.append(pid)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
