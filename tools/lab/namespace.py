"""Kernel features of the fleet: its own process namespace, and a small real volume.

In its own process namespace nothing survives the fleet: when its first process ends for any reason,
the kernel ends all others. If the kernel refuses one (some containers), the fleet runs without, and
its processes are tied to each other one by one.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8
MS_REC, MS_PRIVATE = 0x4000, 0x4_0000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check_result(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags`. Raises `OSError` if the kernel refuses.

    An unprivileged user goes through a user namespace that maps it to itself.
    """
    if os.geteuid() == 0:
        _check_result(_libc().unshare(flags), "unshare")
    else:
        _unshare_as_user(flags)


def _unshare_as_user(flags: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    _check_result(_libc().unshare(flags | CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", "ascii")


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None) -> None:
    """Mount a file system, or change one. Raises `OSError` if the kernel refuses."""
    _check_result(_libc().mount(source, target, kind, flags, data), f"mount {os.fsdecode(target)}")


def _keep_mounts_private() -> None:
    mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def mount_proc() -> None:
    """Mount /proc, as the first process of a new namespace, to show its processes."""
    _keep_mounts_private()
    mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)


def mount_volume(folder: Path, megabytes: int) -> None:
    """Mount a small file system on `folder` that only this process and its children see."""
    try:
        _check_result(_libc().unshare(CLONE_NEWNS), "unshare")
    except PermissionError:
        _unshare_as_user(CLONE_NEWNS)
    _keep_mounts_private()
    options = f"size={megabytes}m,mode=0700".encode()
    mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID | MS_NODEV, options)


def supports_pid_namespace() -> bool:
    """Return whether the kernel permits a process namespace, tried in a throwaway child."""
    pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(OSError):
            unshare(CLONE_NEWNS | CLONE_NEWPID)
            status = _first_process_sees_itself()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _first_process_sees_itself() -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(OSError):
            mount_proc()
            status = 0 if Path("/proc/self").readlink() == Path("1") else 1
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def end_with_parent(signal_number: int) -> None:
    """Receive `signal_number` when the parent's main thread ends."""
    _check_result(_libc().prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _check_result(_libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
