"""Many deployments on the practice fleet by workers that are killed, paused and stopped.

Everything is the product's: the tools, the gate, SSH, the queue, `guardia worker`. What is made
here are the targets: services in folders of their own on the fleet's servers, whose service script
leaves a line for each restart. So what really happened is counted there, not on the board.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from signing_env import SilentNotary

from guardia.agents import checkpoints
from guardia.board.approvals import decisions, pending
from guardia.board.audit import log as audit_log
from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.board.issues import receiving
from guardia.board.organization import chart
from guardia.board.runs import clear_stall
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import OUTAGE_ERRORS, Database
from guardia.db.migrate import upgrade
from guardia.errors import GuardiaError
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Host, PersonInfo, Service
from guardia.tools.catalog_planner import CatalogPlanner
from guardia.tools.lab.running_fleet import RunningFleet

OLD, NEW = "1.0.0", "1.1.0"
CARRIER_SERVERS = ("MOF-WAS-01", "MOF-WAS-02", "MOIS-WAS-01")
FINAL_STATES = {State.COMPLETED, State.FAILED_ROLLBACK, State.MANUAL, State.REJECTED, State.ABORTED}
CONTROL = """#!/bin/sh
# A restart leaves a line, then takes a moment until the release answers.
[ "$1" = restart ] || exit 2
release=$(readlink {root}/current)
echo "${{release##*/}}" >> {root}/effects
sleep 0.2
echo "${{release##*/}}" > {root}/running.$$
mv -f {root}/running.$$ {root}/running
"""
CHART = """
company: {{name: 시험 운영센터, timezone: Asia/Seoul}}
agents:
  - {{id: dispatcher, title: 디스패처, duty: dispatch}}
  - {{id: auditor, title: 감사관, duty: audit, reports_to: dispatcher}}
{operators}
approvals:
  READ_ONLY: []
  MAINTENANCE: [team_lead]
  DEPLOY_SECURE: [team_lead]
  DESTRUCTIVE: [team_lead, pm]
"""
OPERATOR = (
    "  - {{id: was-{n}, title: WAS 전문가 {n}, duty: operate,"
    " reports_to: dispatcher, skills: [WAS, DEPLOY]}}"
)


@dataclass
class Target:
    """One service, and what was really done to it."""

    server_id: str
    root: Path

    def make(self) -> None:
        """Release ``OLD`` runs, ``NEW`` is ready."""
        for folder in (f"releases/{OLD}", f"releases/{NEW}", "logs", "run"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "current").symlink_to(f"releases/{OLD}")
        (self.root / "running").write_text(OLD)
        (self.root / "ctl").write_text(CONTROL.format(root=self.root))
        (self.root / "ctl").chmod(0o700)

    @property
    def effects(self) -> list[str]:
        """The releases that it was restarted with, in order."""
        file = self.root / "effects"
        return file.read_text().split() if file.exists() else []

    @property
    def running(self) -> str:
        """The release that answers."""
        return (self.root / "running").read_text().strip()

    @property
    def current(self) -> str:
        """The release that a restart would bring."""
        return (self.root / "current").readlink().name

    def host(self, carrier: Host, port: int) -> Host:
        """As the CMDB knows it: a server of its own, behind a real SSH server of the fleet."""
        service = Service(
            name="app",
            kind="http",
            port=port,
            control=str(self.root / "ctl"),
            health=f"/{self.server_id}",
            root=str(self.root),
            logs=str(self.root / "logs"),
        )
        names = {"server_id": self.server_id, "institution": "MOF", "aliases": ()}
        return carrier.model_copy(update={**names, "kind": "WAS", "services": (service,)})


class TargetServer(ThreadingHTTPServer):
    """Answers for all targets, each with the release it was last restarted with; and the room in
    which the replies arrive."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, targets: dict[str, Target]) -> None:
        super().__init__(("127.0.0.1", 0), _TargetHandler)
        self.targets = targets
        self.posts: Counter[str] = Counter()


class _TargetHandler(BaseHTTPRequestHandler):
    server: TargetServer

    def do_GET(self) -> None:
        version = self.server.targets[self.path.strip("/")].running
        self._say(json.dumps({"status": "UP", "version": version}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.posts[self.headers["idempotency-key"]] += 1
        self._say(b"{}")

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass
class WorkerProcess:
    """One ``guardia worker``."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def numbers(self) -> set[int]:
        """What the queue calls it; a new one each time it was taken for dead."""
        return {int(n) for n in re.findall(r"registered as worker (\d+)", self.log.read_text())}

    def signal(self, number: signal.Signals) -> None:
        """As an operator, or the kernel, would."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(120)


@dataclass
class WorkerLoss:
    """A beat whose worker was killed or paused at a moment, and what became of its task."""

    run_id: int
    at: datetime
    how: str
    had_spare_worker: bool
    """Whether another worker was ready at that moment, and the database had long been there."""
    task_id: int | None
    """What was in hand; nothing is taken over where nothing was."""
    fence: int
    worker: int
    waiting: float = 0.0
    """Seconds for which something had waited for a processor since the machine has started."""
    detected: datetime | None = None
    """When its worker was struck off."""
    begun: datetime | None = None
    """When another worker began the agent's next beat."""
    held: datetime | None = None
    """When its task was held again, or a person had taken it: its fence has risen."""

    @property
    def taken(self) -> bool:
        """Whether its task is in other hands."""
        return self.held is not None

    def seconds(self, until: datetime | None) -> float:
        """From the strike until then."""
        assert until is not None
        return (until - self.at).total_seconds()


@dataclass
class ChaosRun:
    """The whole of it; ``worker()`` starts another one."""

    cluster: Cluster
    fleet: RunningFleet
    home: Path
    dsn: str
    services: TargetServer
    board: BoardContext
    issues: dict[int, Target] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    losses: list[WorkerLoss] = field(default_factory=list)
    cleared_stalls: int = 0
    """How often a person had to say that work goes on."""

    # --- what happens to it ---------------------------------------------------------------

    def open_issues(self) -> None:
        """One request for each target, from a room."""
        for name, target in self.services.targets.items():
            text = f"{name} 서버에 {NEW} 버전 배포해 주세요"
            line = receiving.NewIssue(text=text, channel="web", sender="장하늘", room="방")
            self.issues[receiving.receive_issue(self.board, line)] = target

    def worker(self) -> WorkerProcess:
        """Start one more."""
        url = f"http://127.0.0.1:{self.services.server_port}/hooks/x"
        environment = {
            **os.environ,
            "GUARDIA_DSN": self.dsn,
            "GUARDIA_HOME": str(self.home),
            "GUARDIA_MESSENGER_URL": url,
        }
        log = self.home / f"worker-{len(self.workers)}.log"
        program = [sys.executable, "-m", "guardia", "worker"]
        with log.open("wb") as file:
            process = subprocess.Popen(program, env=environment, stdout=file, stderr=file)
        self.workers.append(WorkerProcess(process, log))
        return self.workers[-1]

    def signal_worker(self, worker: WorkerProcess, number: signal.Signals) -> None:
        """Send it a signal, and remember which beats it had open."""
        others = sorted({n for w in self.workers if w is not worker for n in w.numbers})
        query = """select now(), pg_postmaster_start_time() < now() - interval '30 seconds'
                       and exists (select from procrastinate_workers where id = any(%s)
                                   and last_heartbeat > now() - interval '3 seconds')"""
        at, had_spare_worker = self.rows(query, others)[0]
        worker.signal(number)
        losses = [
            WorkerLoss(
                run_id,
                at,
                number.name,
                had_spare_worker,
                task_id,
                fence,
                worker_id,
                waiting=cpu_wait_seconds(),
            )
            for run_id, task_id, fence, worker_id in self._open_beats(worker)
        ]
        self.losses += losses
        watch = threading.Thread(target=self._watch, args=(losses,), daemon=True)
        watch.start()

    def restart_database(self, *, immediate: bool, down: float) -> None:
        """End PostgreSQL under load, and start it again after ``down`` seconds."""
        assert self.cluster.pid
        os.kill(self.cluster.pid, signal.SIGQUIT if immediate else signal.SIGINT)
        self.cluster.stop()
        time.sleep(down)
        self.cluster.start()

    def approve(self) -> None:
        """The team lead decides on all plans that wait, and goes on with what was stopped for
        having lost its worker too often."""
        lead = next(p for p in self.fleet.directory().people if p.role == "team_lead")
        waiting = "select sr_id from tb_ops_task where status = 'PENDING_APPROVAL'"
        stalled = "select sr_id from tb_sr_request where stalled_at is not null"
        with suppress(*OUTAGE_ERRORS):
            for (sr_id,) in self.rows(waiting):
                self._decide(lead, sr_id)
            for (sr_id,) in self.rows(stalled):
                with suppress(GuardiaError):
                    clear_stall.clear(self.board, lead, sr_id)
                    self.cleared_stalls += 1

    def _decide(self, lead: PersonInfo, sr_id: int) -> None:
        for plan in pending.pending_plans(self.board, sr_id):
            with suppress(GuardiaError):  # decided on, or changed, since we have looked
                decisions.decide(
                    self.board, lead, plan.task_id, approve=True, plan_hash=plan.plan_hash
                )

    def until(self, true: Callable[[], bool], what: str, seconds: float = 400.0) -> None:
        """Approve what is asked for until it comes true; fails with what the workers say."""
        deadline = time.monotonic() + seconds
        while True:
            self.approve()
            with suppress(*OUTAGE_ERRORS):
                if true():
                    return
            if time.monotonic() > deadline:
                tails = [f"{w.log.name}:\n{w.log.read_text()[-2000:]}" for w in self.workers]
                raise AssertionError("\n".join([what, str(self.states()), *tails]))
            time.sleep(0.2)

    # --- what is seen of it ---------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What a query finds."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def at_work(self, worker: WorkerProcess) -> list[int]:
        """The beats that it has open now."""
        return [run_id for run_id, *_ in self._open_beats(worker)]

    def _open_beats(self, worker: WorkerProcess) -> list[tuple[int, int | None, int, int]]:
        """With the task that each has in hand, its fence, and the worker's number."""
        query = """select distinct on (run.run_id) run.run_id, task.task_id,
                          coalesce(task.fence, 0), job.worker_id
                   from tb_agent_run as run
                   join procrastinate_jobs as job on job.lock = 'agent:' || run.agent_id
                   left join tb_ops_task as task on task.run_id = run.run_id
                        -- What waits for people is not taken over by anybody.
                        and task.status in ('RECEIVED', 'PARSED', 'APPROVED', 'IN_PROGRESS')
                   where run.ended_at is null and job.status = 'doing'
                     and job.worker_id = any(%s)"""
        return self.rows(query, sorted(worker.numbers))

    def _watch(self, losses: list[WorkerLoss]) -> None:
        """Look every 50 ms how far the takeover is; a database that is away is asked again."""
        deadline = time.monotonic() + 300
        open_ones = [loss for loss in losses if loss.task_id is not None]
        while open_ones and time.monotonic() < deadline:
            with suppress(*OUTAGE_ERRORS), psycopg.connect(self.dsn, autocommit=True) as connection:
                while open_ones and time.monotonic() < deadline:
                    for loss in open_ones:
                        _poll_takeover(connection, loss)
                    open_ones = [loss for loss in open_ones if not loss.taken]
                    time.sleep(0.05)
            time.sleep(0.05)

    def losses_are_closed(self) -> bool:
        """Whether every beat that was struck has been closed: mostly by who took it over."""
        return all(self._closed(loss)[0] for loss in self.losses)

    def takeovers(self, *, had_spare_worker: bool) -> list[WorkerLoss]:
        """The tasks that were in hand and are in hand again, the slowest last: all, or only where
        a worker stood ready. One whose stricken worker still ended it in order is none."""
        found = []
        for loss in self.losses:
            ended, how = self._closed(loss)
            if (
                loss.held is not None
                and how == "lost"
                and (loss.had_spare_worker or not had_spare_worker)
            ):
                loss.begun = ended
                found.append(loss)
        return sorted(found, key=lambda loss: loss.seconds(loss.held))

    def _closed(self, loss: WorkerLoss) -> tuple[datetime, str]:
        query = "select ended_at, outcome from tb_agent_run where run_id = %s"
        at, how = self.rows(query, loss.run_id)[0]
        return at, how

    def states(self) -> Counter[str]:
        """How many issues stand where."""
        query = "select status, count(*) from tb_sr_request group by 1"
        return Counter(dict(self.rows(query)))

    def ended(self) -> int:
        """How many issues have ended."""
        return sum(n for state, n in self.states().items() if state in FINAL_STATES)

    def done(self) -> int:
        """How many targets were changed."""
        return sum(bool(target.effects) for target in self.issues.values())

    def settled(self) -> bool:
        """Whether all issues have ended, and nothing is left to do or to send."""
        left = "select 1 from procrastinate_jobs where status in ('todo', 'doing') limit 1"
        return self.ended() == len(self.issues) and not self.rows(left)

    def effect_counts(self) -> Counter[str]:
        """What became of each issue, by what was done to its target and what the board says."""
        return Counter(self._effect(sr_id, target) for sr_id, target in self.issues.items())

    def _effect(self, sr_id: int, target: Target) -> str:
        state, seen = view.issue(self.board, sr_id).state, target.effects
        if any(seen.count(release) > 1 for release in (OLD, NEW)):
            return "twice"
        whole = target.current == target.running
        if state is State.COMPLETED and seen == [NEW] and whole:
            return "once"
        if state is State.FAILED_ROLLBACK and seen in ([], [NEW, OLD], [OLD]):
            return "restored" if whole and target.running == OLD else "lost"
        return "people" if state is State.MANUAL else "lost"

    def messages(self) -> Counter[int]:
        """How often the room was told something: number of messages by times told."""
        return Counter(self.services.posts.values())

    def open_runs(self) -> int:
        """Beats that nobody has closed."""
        return int(self.rows("select count(*) from tb_agent_run where ended_at is null")[0][0])

    def audit_log_is_intact(self) -> bool:
        """Whether the record is whole."""
        with self.board.database.reading() as session:
            return bool(audit_log.verify_all(session).intact)

    @cached_property
    def carrier_hosts(self) -> list[Host]:
        """The real servers."""
        return [self.fleet.inventory.host(name) for name in CARRIER_SERVERS]

    def close(self) -> None:
        """End all workers, also paused ones."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait()


def cpu_wait_seconds() -> float:
    """Seconds for which something has waited for a processor; 0 where the kernel does not say."""
    with suppress(OSError, ValueError):
        first = Path("/proc/pressure/cpu").read_text().split("\n")[0]
        return int(first.rpartition("total=")[2]) / 1e6
    return 0.0


def _poll_takeover(connection: psycopg.Connection[Any], loss: WorkerLoss) -> None:
    query = """select now(),
                      not exists (select from procrastinate_workers where id = %s),
                      exists (select from tb_ops_task where task_id = %s and fence > %s)"""
    values = (loss.worker, loss.task_id, loss.fence)
    row = connection.execute(query, values).fetchone()
    assert row is not None
    if row[1] and loss.detected is None:
        loss.detected = row[0]
    if row[2]:
        loss.held, loss.waiting = row[0], cpu_wait_seconds() - loss.waiting


@contextmanager
def open_chaos_run(
    cluster: Cluster, fleet: RunningFleet, home: Path, count: int
) -> Iterator[ChaosRun]:
    """``count`` deployments to be done, and six agents for them, over a PostgreSQL of its own."""
    owner, dsn = cluster.dsn(OWNER_ROLE), cluster.dsn(APPLICATION_ROLE)
    checkpoints.setup(owner)
    upgrade(owner)
    keys = FileCredentialStore(home / "secrets")
    keys.put(*fleet.credential())
    targets = {}
    for number in range(count):
        name = f"MOF-WAS-{number + 101}"
        folder = (
            fleet.home / "hosts" / CARRIER_SERVERS[number % len(CARRIER_SERVERS)] / f"t-{home.name}"
        )
        targets[name] = Target(name, folder / name)
        targets[name].make()
    services = TargetServer(targets)
    threading.Thread(target=services.serve_forever, daemon=True).start()
    database = Database(dsn, pool_size=4)
    made = ChaosRun(
        cluster,
        fleet,
        home,
        dsn,
        services,
        BoardContext(
            database,
            decision_signer=DecisionSigner.from_store(keys),
            notary=SilentNotary(home),
            planner=CatalogPlanner(),
        ),
    )
    try:
        operators = "\n".join(OPERATOR.format(n=n) for n in range(1, 7))
        chart.apply_chart(made.board, CHART.format(operators=operators), "operator:test")
        hosts = tuple(
            target.host(made.carrier_hosts[number % len(CARRIER_SERVERS)], services.server_port)
            for number, target in enumerate(targets.values())
        )
        names = fleet.directory()
        chart.import_directory(made.board, names.model_copy(update={"servers": hosts}), {})
        made.open_issues()
        yield made
    finally:
        made.close()
        database.close()
        services.shutdown()
        services.server_close()
