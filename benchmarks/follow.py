"""How soon running workers follow a newly applied org chart.

    make bench NAME=follow ARGS="--rounds 10 --workers 2"

Real processes over a PostgreSQL of their own: `guardia worker`, and `guardia org apply` for each
change. A round changes a heartbeat, limits an agent, hires one and fires it again. The report is
JSON: for each kind of change the seconds from the revision's own time, at the beginning of the
transaction that writes it, until the last worker logs that it reloaded the chart; and for agents
woken right after the command has ended, whether their beat began under the new revision.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command_line import run_process, start_process

from guardia.agents import checkpoints
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.board.organization import agent_control
from guardia.board.organization import chart as organization_chart
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import Database
from guardia.db.migrate import upgrade
from guardia.org import chart, chart_edit, revisions

FOLLOWS = re.compile(r"reloaded from chart revision (\d+)")
NEW = {"id": "new-agent", "title": "새 전문가", "duty": "operate", "reports_to": "dispatcher",
       "skills": ["WAS"], "heartbeat": {"every": "7m"}}  # fmt: skip


@dataclass
class Follower:
    """One worker process, and when it logged which revision."""

    log: Path
    process: subprocess.Popen[bytes]
    seen: dict[int, float] = field(default_factory=dict)

    def watch(self) -> None:
        """Read its log as it grows."""
        with self.log.open(encoding="utf-8") as lines:
            while self.process.poll() is None:
                for line in lines:
                    if found := FOLLOWS.search(line):
                        self.seen.setdefault(int(found[1]), time.time())
                time.sleep(0.005)


@dataclass
class Bench:
    """The installation, and what was measured."""

    board: BoardContext
    home: Path
    environment: dict[str, str]
    followers: list[Follower] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    beats: list[bool] = field(default_factory=list)

    def start(self) -> None:
        """Start one more worker."""
        log = self.home / f"worker-{len(self.followers)}.log"
        with log.open("wb") as file:
            process = start_process("worker", env=self.environment, stdout=file, stderr=file)
        follower = Follower(log, process)
        threading.Thread(target=follower.watch, daemon=True).start()
        self.followers.append(follower)

    def apply(self, kind: str, text: str, agent: str | None) -> None:
        """Apply a chart as an operator does; wake an agent under it."""
        file = self.home / "chart.yaml"
        file.write_text(text, "utf-8")
        run_process("org", "apply", file, "--yes", env=self.environment, check=True)
        with self.board.database.reading() as session:
            (made,) = revisions.history(session, limit=1)
        if agent is not None:
            self.beats.append(self._beat(agent) == made.number)
        self.followed(made.number)
        last = max(f.seen[made.number] for f in self.followers)
        self.seconds.setdefault(kind, []).append(last - made.created_at.timestamp())

    def followed(self, revision: int) -> None:
        """Wait until all workers follow a revision."""
        while not all(revision in f.seen for f in self.followers):
            time.sleep(0.01)

    def _beat(self, agent: str) -> int | None:
        before = agent_control.wake_now(self.board, agent, Actor.operator("bench"))
        while (found := agent_control.next_run(self.board, agent, before)) is None:
            time.sleep(0.01)
        return found.revision

    def round(self, number: int) -> None:
        """Make each kind of change once."""
        text = organization_chart.running_text(self.board)[1]
        text = chart_edit.set_field(text, "was-agent", "heartbeat.every", f"{11 + number}m")
        self.apply("heartbeat", text, None)
        text = chart_edit.set_field(text, "db-agent", "limits.parallel_tasks", 1 + number % 2)
        self.apply("limit", text, "db-agent")
        self.apply("hire", chart_edit.hire(text, NEW), "new-agent")
        self.apply("fire", text, None)

    def report(self) -> dict[str, Any]:
        """Return everything that was measured."""
        spread = {
            kind: {"p50": round(statistics.median(s), 3), "max": round(max(s), 3)}
            for kind, s in self.seconds.items()
        }
        return {
            "workers": len(self.followers),
            "changes": sum(map(len, self.seconds.values())),
            "seconds_until_the_last_worker_follows": spread,
            "beats_woken_after_a_change": len(self.beats),
            "of_these_under_the_new_revision": sum(self.beats),
        }


def main() -> int:
    """Measure and print; exit code 1 if a beat began under an old chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="guardia-follow-"))
    home.chmod(0o711)
    with Cluster(home / "pg") as cluster:
        cluster.create_roles()
        owner, dsn = cluster.dsn(OWNER_ROLE), cluster.dsn(APPLICATION_ROLE)
        upgrade(owner)
        checkpoints.setup(owner)
        environment = {**os.environ, "GUARDIA_DSN": dsn, "GUARDIA_HOME": str(home / "home")}
        database = Database(dsn, pool_size=2)
        bench = Bench(keyless_context(database), home, environment)
        organization_chart.apply_chart(
            bench.board, chart.shipped_chart_path().read_text("utf-8"), Actor.operator("bench")
        )
        try:
            for _ in range(given.workers):
                bench.start()
            bench.followed(1)
            for number in range(given.rounds):
                bench.round(number)
        finally:
            for follower in bench.followers:
                follower.process.terminate()
                follower.process.wait(60)
            database.close()
    print(json.dumps(bench.report(), indent=2))
    return 0 if all(bench.beats) else 1


if __name__ == "__main__":
    sys.exit(main())
