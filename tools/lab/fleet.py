"""`python -m guardia.tools.lab.fleet HOME`: the launcher, first process of the fleet.

It only waits: it creates a process namespace if the kernel permits one, forks the fleet server into
it, forwards termination signals, and reports the exit code. See `fleet_server`.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from guardia.errors import NotFound
from guardia.tools.lab import namespace
from guardia.tools.lab.fleet_command import OCCUPIED
from guardia.tools.lab.fleet_options import FleetOptions

PLAIN_VARIABLE = "GUARDIA_LAB_PLAIN"
"""Set to 1 to use nothing that a kernel may refuse: no process namespace, no volume."""
_LOCK_SECONDS = 20.0
_STOP_SECONDS = 15
_TERMINATION = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _acquire_lock(home: Path) -> bool:
    """Take the fleet's lock, shared with all forked processes.

    Waits for a fleet that is ending. Returns `False` if another fleet runs or does not end in time.
    """
    lock = os.open(home / "fleet.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if _is_up(home) or time.monotonic() > deadline:
                os.close(lock)
                return False
            time.sleep(0.05)


def _is_up(home: Path) -> bool:
    from guardia.tools.lab.running_fleet import RunningFleet

    try:
        return RunningFleet.find(home).is_alive()
    except NotFound:
        return False


def _exit(_number: int, _frame: FrameType | None) -> None:
    # Not `SystemExit`: an exception that meets a callback of the import system is dropped there.
    os._exit(0)


def main(home: Path) -> int:
    """Run the fleet until it is asked to end."""
    home.mkdir(parents=True, exist_ok=True)
    # Root's PostgreSQL runs under another account, which must be able to traverse this folder.
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not _acquire_lock(home):
        return OCCUPIED
    plain = os.environ.get(PLAIN_VARIABLE) == "1"
    isolated = not plain and namespace.supports_pid_namespace()
    if isolated:
        namespace.unshare(namespace.CLONE_NEWNS | namespace.CLONE_NEWPID)
    read, write = os.pipe()
    options = FleetOptions(
        isolated=isolated, volumes=not plain, launcher_pipe=read, launcher_pid=os.getpid()
    )
    # The first process of a namespace never sees a signal that it does not handle, so signals wait
    # until both sides have their handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION)
    pid = os.fork()
    if pid == 0:
        os.close(write)
        _run_fleet(home, options)
    os.close(read)
    _forward_termination(pid)
    return max(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _forward_termination(pid: int) -> None:
    """Ask `pid` to end when this process is asked to; kill it if it has not ended in time."""

    def forward(_number: int, _frame: FrameType | None) -> None:
        os.kill(pid, signal.SIGTERM)
        signal.alarm(_STOP_SECONDS)

    for number in _TERMINATION:
        signal.signal(number, forward)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION)


def _run_fleet(home: Path, options: FleetOptions) -> None:
    signal.signal(signal.SIGTERM, _exit)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION)
    # In a namespace the kernel kills all processes with this one. Without, it must still end the
    # others in order.
    namespace.end_with_parent(signal.SIGKILL if options.isolated else signal.SIGTERM)
    code = 1
    try:
        if options.isolated:
            namespace.mount_proc()
        from guardia.tools.lab.fleet_server import FleetServer

        code = FleetServer(home, options).run()
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
