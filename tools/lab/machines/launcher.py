"""`python -m guardia.tools.lab.machines.launcher HOME ORDER`: starts the machines and waits.

Three processes: this one; the server, which is the first process of a namespace and is killed by
the kernel together with all machines when this one ends, however it ends; and a cleaner, which
outlives both and removes what the kernel keeps, namely empty control groups and the inventory.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from guardia.db.private_files import try_lock
from guardia.errors import GuardiaError
from guardia.tools.lab import namespace
from guardia.tools.lab.machines import requirements
from guardia.tools.lab.machines.build_steps import NSPAWN_FILES
from guardia.tools.lab.machines.builder import ImageCache, lock_image
from guardia.tools.lab.machines.cgroups import ControlGroup, group_name
from guardia.tools.lab.machines.inventory import FILE_NAME
from guardia.tools.lab.machines.order import OCCUPIED, Order
from guardia.tools.lab.machines.recipes import RECIPES
from guardia.tools.lab.machines.server import MachinesServer, fail
from guardia.tools.lab.machines.spec import ROLES

_CLEANING_SECONDS = 20.0


def main(home: Path, order: Order) -> int:
    """Run the machines until a signal, or until this process is killed."""
    requirements.require()
    signal.signal(signal.SIGTERM, _exit)  # until the machines run, so that a build cleans up
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if try_lock(home / "machines.lock") is None:
        return OCCUPIED
    cache = ImageCache(order.images)
    images = {ROLES[name].make.image for name in order.roles}
    found = {name: cache.obtain(RECIPES[name]) for name in sorted(images)}
    for image in found.values():
        lock_image(image, fcntl.LOCK_SH)
    group = group_name(home)
    _remove_leftovers(home, group)
    alive, ours = os.pipe()
    NSPAWN_FILES.mkdir(parents=True, exist_ok=True)
    cleaner = _fork_cleaner(home, group, alive, ours)
    namespace.unshare(namespace.CLONE_NEWNS | namespace.CLONE_NEWPID)
    watched, _kept = os.pipe()
    launcher = os.getpid()
    server = os.fork()
    if server == 0:
        os.close(_kept)
        _serve(MachinesServer(home, order, found, group), watched, launcher)
    os.close(watched)

    def forward(_number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    code = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
    os.close(ours)
    with suppress(ChildProcessError):
        os.waitpid(cleaner, 0)
    _remove_leftovers(home, group)  # if the cleaner was killed
    return abs(code)


def _exit(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _serve(server: MachinesServer, watched: int, launcher: int) -> None:
    code = 1
    try:
        namespace.end_with_parent(signal.SIGKILL)
        namespace.mount_proc()
        namespace.adopt_orphans()
        code = asyncio.run(server.run(watched, launcher))
    except BaseException as error:
        fail(error)
    finally:
        os._exit(code)


def _fork_cleaner(home: Path, group: str, alive: int, ours: int) -> int:
    """Fork a process that waits until all others have closed the pipe, and then cleans up."""
    pid = os.fork()
    if pid:
        os.close(alive)
        return pid
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(ours)
        os.read(alive, 1)
        _remove_leftovers(home, group)
        code = 0
    finally:
        os._exit(code)


def _remove_leftovers(home: Path, group: str) -> None:
    for name in (FILE_NAME, "control.sock", "key", "askpass"):
        (home / name).unlink(missing_ok=True)
    groups = ControlGroup(group)
    deadline = time.monotonic() + _CLEANING_SECONDS
    groups.remove()
    while groups.exists() and time.monotonic() < deadline:  # processes of machines still end
        time.sleep(0.05)
        groups.remove()


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Order.model_validate_json(sys.argv[2])))
    except GuardiaError as error:
        fail(error)
        sys.exit(1)
