"""Supervise a program so that no process outlives its session: rlimits before, kill after.

`python -I -S supervisor.py CONTROL ACCOUNT LIMITS PROGRAM [ARGUMENT...]` runs PROGRAM as a child
under ACCOUNT (`-` or `UID:GID`) and LIMITS (`processes:data:cpu:file` in the kernel's units). When
the program ends, or CONTROL (a socket's descriptor) is closed because the starter closed it or
died, every remaining process is killed: all of them stay descendants of the supervisor. What an
account of one session only has left in folders that everyone may write to is removed. Then `CODE
LEFT` is written to CONTROL.

Standard library only and importable without GUARDiA, because nothing else is reachable yet.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import stat
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_KILL_TIMEOUT = 10.0
"""Seconds to keep killing a program that keeps forking."""
_SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue")
TRANSIENT_UIDS = range(61184, 65520)
"""Uids without an account (systemd's DynamicUser uses the same range): one per session."""
_REMOVE_TIMEOUT = 5.0
"""Seconds to look for files that a program has left."""
_MAX_DEPTH = 400
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Start the program, wait until it or the starter ends, and kill what is left."""
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
    remove_leftovers(account)
    with suppress(OSError):
        os.write(control_fd, f"{codes.get(child, -signal.SIGKILL)} {left}".encode())


def _child_events() -> int:
    """Return a descriptor that becomes readable when a child ends."""
    child_events, writer = os.pipe()
    os.set_blocking(child_events, False)
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return child_events


def _reap() -> dict[int, int]:
    """Return the exit codes of the children, own and adopted, that have ended since."""
    codes: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            codes[found[0]] = os.waitstatus_to_exitcode(found[1])
    return codes


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _exec_program(account: str, limits: str, program: list[str]) -> None:
    """In the child: drop all privileges, set the limits, run the program."""
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
    # on any error, this child must not continue as a copy of its parent
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(127)


def _set_limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _count_tasks(uid: int) -> int:
    """Count the processes and threads of an account, which the kernel's limit includes."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{entry}/task"))
    return count


def kill_descendants(codes: dict[int, int]) -> int:
    """Kill all descendants. Returns how many there were at first.

    Their exit codes are added to `codes`.
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


def remove_leftovers(account: str, folders: tuple[str, ...] = _SHARED_FOLDERS) -> None:
    """Remove what a session's own account has left in shared folders.

    Files of named accounts stay: other programs of the host may use them. Works on open folders and
    follows no link, so that no one can lead it elsewhere.
    """
    uid = int(account.partition(":")[0]) if account != "-" else -1
    if uid not in TRANSIENT_UIDS:
        return
    deadline = time.monotonic() + _REMOVE_TIMEOUT
    for folder in folders:
        with suppress(OSError):
            descriptor = os.open(folder, _FOLDER)
            try:
                _clear(descriptor, uid, deadline, _MAX_DEPTH)
            finally:
                os.close(descriptor)


def _clear(folder: int, uid: int, deadline: float, depth: int) -> None:
    """Remove what an account owns in an open folder, and below where it could write."""
    for name in os.listdir(folder):
        if time.monotonic() > deadline:
            return
        with suppress(OSError):
            found = os.lstat(name, dir_fd=folder)
            if not stat.S_ISDIR(found.st_mode):
                if found.st_uid == uid:
                    os.unlink(name, dir_fd=folder)
                continue
            if depth and (found.st_uid == uid or found.st_mode & stat.S_IWOTH):
                below = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _clear(below, uid, deadline, depth - 1)
                finally:
                    os.close(below)
            if found.st_uid == uid:
                os.rmdir(name, dir_fd=folder)


def descendants(root: int) -> list[int]:
    """Return the live descendants of a process."""
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
