"""What many workers lose, double and delay when they are killed, paused, stopped and cut off.

    make bench NAME=chaos ARGS="--issues 200 --seed 1"

Three worker processes carry out a deployment on each of 200 services of the practice fleet, over a
PostgreSQL of their own. A schedule drawn from the seed kills (SIGKILL), pauses (SIGSTOP) and stops
(SIGTERM) workers, starts others, and ends PostgreSQL at once or in order. The report is JSON: the
outcome of the issues, counted where the changes happened; and the takeovers.

A takeover concerns a task that a worker had claimed when it was killed or paused: the seconds from
the signal until the task's next claim (its fence has risen), polled every 50 ms. Its parts are the
seconds until the worker was declared dead (`detected`), from there until another worker began the
agent's next beat (`begun`), and from there until that beat claimed the task (`held`). For the slow
ones the report gives the share of that time in which something on the machine waited for a
processor.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_env import ChaosRun, open_chaos_run
from chaos_workers import WorkerLoss, WorkerProcess

from guardia.db.embedded import Cluster
from guardia.tools.lab.running_fleet import RunningFleet

EVENTS = ("kill",) * 4 + ("pause",) * 3 + ("stop",) * 2 + ("database",) * 2
LONG = 10.0
"""Seconds of a pause after which a worker was certainly declared dead."""


@dataclass
class Schedule:
    """A random schedule of events."""

    made: ChaosRun
    chance: random.Random
    workers: list[WorkerProcess]
    happened: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        """Cause one event after another until all issues have ended."""
        made = self.made
        made.until(lambda: made.done() >= 1, "no change")
        while not made.settled():
            name = self.chance.choice(EVENTS)
            self.happened[name] += 1
            {"kill": self.kill, "pause": self.pause, "stop": self.stop, "database": self.database}[
                name
            ]()
            self.wait(self.chance.uniform(1.0, 6.0))

    def wait(self, seconds: float) -> None:
        """Wait, while people keep deciding."""
        deadline = time.monotonic() + seconds
        self.made.until(lambda: time.monotonic() >= deadline, "time stands still")

    def pick_worker(self) -> WorkerProcess:
        return self.chance.choice(self.workers)

    def replace(self, ended: WorkerProcess) -> None:
        self.workers[self.workers.index(ended)] = self.made.worker()

    def signal_and_wait(self, worker: WorkerProcess, number: signal.Signals) -> None:
        """Signal a worker and wait for the takeover, without stopping the database."""
        self.made.signal_worker(worker, number)
        self.made.until(self.made.losses_are_closed, "not taken over")

    def kill(self) -> None:
        worker = self.pick_worker()
        self.signal_and_wait(worker, signal.SIGKILL)
        self.replace(worker)

    def pause(self) -> None:
        worker, seconds = self.pick_worker(), self.chance.uniform(1.0, 20.0)
        if seconds >= LONG:
            self.signal_and_wait(worker, signal.SIGSTOP)
        else:
            worker.signal(signal.SIGSTOP)
            self.wait(seconds)
        worker.signal(signal.SIGCONT)

    def stop(self) -> None:
        worker = self.pick_worker()
        self.made.until(lambda: bool(worker.numbers), "it does not start")
        self.exits[worker.stop()] += 1
        self.replace(worker)

    def database(self) -> None:
        immediate = self.chance.random() < 0.5
        self.made.restart_database(immediate=immediate, down=self.chance.uniform(0.0, 5.0))


def report(made: ChaosRun, schedule: Schedule, seconds: float) -> dict[str, Any]:
    """Return everything that was counted."""
    kinds = ("once", "restored", "people", "twice", "lost")
    effect_counts = made.effect_counts()
    return {
        "issues": len(made.issues),
        "ended": dict(made.states()),
        "effects": {kind: effect_counts[kind] for kind in kinds},
        "messages_by_times_told": {str(k): v for k, v in sorted(made.messages().items())},
        "events": dict(schedule.happened),
        "exits_after_sigterm": {str(k): v for k, v in schedule.exits.items()},
        "stalls_lifted_by_people": made.cleared_stalls,
        "takeovers": takeovers(made.takeovers(had_spare_worker=False)),
        "takeovers_where_a_worker_stood_ready": takeovers(made.takeovers(had_spare_worker=True)),
        "slowest": [takeover_summary(loss) for loss in made.takeovers(had_spare_worker=False)[-5:]],
        "runs_left_open": made.open_runs(),
        "record_intact": made.audit_log_is_intact(),
        "seconds": round(seconds, 1),
    }


def parts(loss: WorkerLoss) -> dict[str, float]:
    """Return the parts of a takeover, in seconds."""
    whole, begun = loss.seconds(loss.reclaimed_at), loss.seconds(loss.next_beat_at)
    detected = min(loss.seconds(loss.detected_at or loss.next_beat_at), begun)
    return {"whole": whole, "detected": detected, "begun": begun - detected, "held": whole - begun}


def takeovers(losses: list[WorkerLoss]) -> dict[str, Any]:
    """Return percentiles by signal and part."""
    found: dict[str, Any] = {}
    for how in sorted({loss.signal_name for loss in losses}):
        cut = [parts(loss) for loss in losses if loss.signal_name == how]
        found[how] = {name: percentiles(sorted(p[name] for p in cut)) for name in parts(losses[0])}
    return found


def takeover_summary(loss: WorkerLoss) -> dict[str, Any]:
    """Return the figures of one takeover."""
    cut = {name: round(seconds, 2) for name, seconds in parts(loss).items()}
    share = round(loss.cpu_wait / max(cut["whole"], 0.01), 2)
    return {
        "how": loss.signal_name,
        "ready": loss.had_spare_worker,
        **cut,
        "waited_for_a_processor": share,
    }


def percentiles(ordered: list[float]) -> dict[str, float | None]:
    """Return count, median, 99th percentile and maximum of an ordered list."""

    def at(share: float) -> float | None:
        last = len(ordered) - 1
        return round(ordered[min(last, int(share * len(ordered)))], 2) if ordered else None

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)}


def is_sound(found: dict[str, Any]) -> bool:
    """Return whether nothing was lost, doubled or left open."""
    effects, exits = found["effects"], found["exits_after_sigterm"]
    return bool(
        effects["twice"] == effects["lost"] == found["runs_left_open"] == 0
        and set(exits) <= {"0"}
        and found["record_intact"]
    )


def main() -> int:
    """Run the schedule and print the report; exit code 1 if something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-chaos-"))
    home.chmod(0o711)
    (home / "home").mkdir()
    with Cluster(home / "pg") as cluster, RunningFleet.spawn(home / "lab") as fleet:
        cluster.create_roles()
        with open_chaos_run(cluster, fleet, home / "home", given.issues) as made:
            began = time.monotonic()
            workers = [made.worker() for _ in range(given.workers)]
            schedule = Schedule(made, random.Random(given.seed), workers)
            schedule.run()
            took = time.monotonic() - began
            schedule.exits.update(w.stop() for w in schedule.workers)
            found = report(made, schedule, took)
    print(json.dumps({"seed": given.seed, **found}, indent=2))
    if given.keep:
        print(home, file=sys.stderr)
    return 0 if is_sound(found) else 1


if __name__ == "__main__":
    sys.exit(main())
