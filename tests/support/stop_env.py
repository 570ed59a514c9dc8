"""An approved change that hangs on a real server, in an installation that a test may break."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaos_env import ChaosRun, open_chaos_run
from chaos_workers import WorkerProcess
from command_line import environment, run_process, start_process
from remote_processes import processes_with, unique_seconds

from guardia.board.control import manual_plans
from guardia.board.core.planner import ActionDraft
from guardia.db.embedded import FAST_SETTINGS, Cluster
from guardia.settings import Settings
from guardia.tools.lab.running_fleet import RunningFleet

# The command itself, a child in a session of its own, and a grandchild whose parent has ended.
# Only the first time: the undo is the same command.
_HANGING = """#!/bin/sh
[ "$1" = reload ] && mkdir {root}/hung || exit 0
setsid sh -c 'sleep {mark}; :' </dev/null &
(setsid sh -c 'sleep {mark} & :' &)
sleep {mark}
"""
PROCESSES = 3
_SETTINGS = {
    **FAST_SETTINGS,
    "synchronous_commit": "on",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


class HangingChange:
    """One approved change that runs until something ends it."""

    def __init__(self, made: ChaosRun) -> None:
        self.made = made
        self.mark = unique_seconds()
        (target,) = made.services.targets.values()
        (target.root / "ctl").write_text(_HANGING.format(mark=self.mark, root=target.root))
        (target.root / "conf").mkdir()
        (target.root / "conf" / "log_level").write_text("INFO\n")
        (self._sr_id,) = made.issues
        self._server = target.server_id

    def left(self) -> int:
        """Return how many of its processes run on the server's host."""
        return sum(_is_sleep(pid) for pid in processes_with(self.mark))

    def begin(self) -> WorkerProcess:
        """Start a worker, and wait until all processes run."""
        made, log = self.made, self.made.home / "worker.log"
        pm = next(p for p in made.fleet.directory().people if p.role == "pm")
        draft = ActionDraft(
            "service.set_log_level", {"service": "app", "level": "DEBUG", "previous": "INFO"}
        )
        manual_plans.force_action(made.board, pm, self._sr_id, self._server, draft, "시험")
        with log.open("wb") as file:
            process = start_process("worker", env=self._environment(), stdout=file, stderr=file)
        made.workers.append(WorkerProcess(process, log))
        made.until(lambda: self.left() >= PROCESSES, "the change does not run")
        return made.workers[-1]

    def kill(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `guardia kill` on the worker's host."""
        return run_process("kill", "--reason", "시험", env=self._environment(**variables))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command there."""
        return run_process(*words, env=self._environment())

    def kinds(self) -> list[str]:
        """Return the kinds of all audit entries."""
        return [row[0] for row in self.made.rows("select kind from tb_audit_log order by seq")]

    def log(self) -> str:
        """Return what its worker has logged."""
        return self.made.workers[0].log.read_text()

    def _environment(self, **variables: str) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.made.services.server_port}/hooks/x"
        return environment(self.made.home, GUARDIA_MESSENGER_URL=url, **variables)


def _is_sleep(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
    return False


@contextmanager
def hanging_change(home: Path, fleet: RunningFleet) -> Iterator[HangingChange]:
    """Open one in an installation with an embedded PostgreSQL, which this process keeps."""
    home.mkdir(mode=0o711, exist_ok=True)
    with Cluster(Settings(home=home).postgres, settings=_SETTINGS) as cluster:
        cluster.create_roles()
        with open_chaos_run(cluster, fleet, home, 1) as made:
            yield HangingChange(made)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small file system; needs root."""
    folder.mkdir(mode=0o711)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "none", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take all room of a file system."""
    with (folder / "filler").open("wb") as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), b"\0" * size)
