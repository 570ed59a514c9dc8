"""Workers of the chaos runs, and the beats that they lose."""

from __future__ import annotations

import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from waiting import PATIENCE


@dataclass
class WorkerProcess:
    """One `guardia worker`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def numbers(self) -> set[int]:
        """Its worker ids in the queue; a new one after each re-registration."""
        return {int(n) for n in re.findall(r"registered as worker (\d+)", self.log.read_text())}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, as an operator or the kernel would."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@dataclass
class WorkerLoss:
    """A beat whose worker was killed or paused, and what happened to its task."""

    run_id: int
    at: datetime
    signal_name: str
    had_spare_worker: bool
    """Whether another worker was ready at that moment, and the database had been up for long."""
    task_id: int | None
    """The claimed task; without one there is nothing to take over."""
    fence: int
    worker: int
    cpu_wait: float = 0.0
    """Seconds since boot for which something had waited for a processor; at the end, the
    difference."""
    detected_at: datetime | None = None
    """When its worker was declared dead."""
    next_beat_at: datetime | None = None
    """When another worker began the agent's next beat."""
    reclaimed_at: datetime | None = None
    """When its task was claimed again or taken by a person: the fence has risen."""

    @property
    def is_taken_over(self) -> bool:
        """Whether its task was taken over."""
        return self.reclaimed_at is not None

    def seconds(self, until: datetime | None) -> float:
        """Return the seconds from the signal to `until`."""
        assert until is not None
        return (until - self.at).total_seconds()


def cpu_wait_seconds() -> float:
    """Return seconds that something has waited for a processor; 0 if unknown."""
    with suppress(OSError, ValueError):
        first = Path("/proc/pressure/cpu").read_text().split("\n")[0]
        return int(first.rpartition("total=")[2]) / 1e6
    return 0.0
