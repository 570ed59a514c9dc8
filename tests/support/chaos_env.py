"""Many deployments on the practice fleet by workers that are killed, paused and stopped.

Everything is the product's: tools, gate, SSH, queue, `guardia worker`. Only the targets are made
here: services in folders of their own on the fleet's servers, whose service script writes a line
for each restart. So the real effects are counted there, not on the board.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from chaos_targets import NEW, OLD, Target, TargetServer
from chaos_workers import WorkerLoss, WorkerProcess, cpu_wait_seconds
from command_line import environment, start_process
from waiting import wait_until

from guardia.agents import checkpoints
from guardia.board.approvals import decisions, pending
from guardia.board.audit import log as audit_log
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.integrity.notary import Notary
from guardia.board.issues import receiving, view
from guardia.board.organization import chart
from guardia.board.runs import clear_stall
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import OUTAGE_ERRORS, Database
from guardia.db.migrate import upgrade
from guardia.errors import GuardiaError
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Host, PersonInfo
from guardia.settings import Settings
from guardia.tools.catalog_planner import CatalogPlanner
from guardia.tools.lab.running_fleet import RunningFleet

CARRIER_SERVERS = ("MOF-WAS-01", "MOF-WAS-02", "MOIS-WAS-01")
FINAL_STATES = {State.COMPLETED, State.FAILED_ROLLBACK, State.MANUAL, State.REJECTED, State.ABORTED}
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
  FORCED: [team_lead]
"""
OPERATOR = (
    "  - {{id: was-{n}, title: WAS 전문가 {n}, duty: operate,"
    " reports_to: dispatcher, skills: [WAS, DEPLOY]}}"
)


@dataclass
class ChaosRun:
    """A whole run; `worker()` starts another worker."""

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
    """How often a person had to let a stalled issue continue."""
    _connection: psycopg.Connection[Any] | None = None

    # --- events ---------------------------------------------------------------------------

    def open_issues(self) -> None:
        """Create one request for each target."""
        for name, target in self.services.targets.items():
            text = f"{name} 서버에 {NEW} 버전 배포해 주세요"
            line = receiving.NewIssue(text=text, channel="web", sender="장하늘", room="방")
            self.issues[receiving.receive_issue(self.board, line)] = target

    def worker(self) -> WorkerProcess:
        """Start another worker."""
        url = f"http://127.0.0.1:{self.services.server_port}/hooks/x"
        env = environment(self.home, GUARDIA_DSN=self.dsn, GUARDIA_MESSENGER_URL=url)
        log = self.home / f"worker-{len(self.workers)}.log"
        with log.open("wb") as file:
            process = start_process("worker", env=env, stdout=file, stderr=file)
        self.workers.append(WorkerProcess(process, log))
        return self.workers[-1]

    def signal_worker(self, worker: WorkerProcess, number: signal.Signals) -> None:
        """Send a worker a signal, and remember which beats it had open."""
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
                cpu_wait=cpu_wait_seconds(),
            )
            for run_id, task_id, fence, worker_id in self._open_beats(worker)
        ]
        self.losses += losses
        watch = threading.Thread(target=self._watch, args=(losses,), daemon=True)
        watch.start()

    def restart_database(self, *, immediate: bool, down: float) -> None:
        """Stop PostgreSQL under load, and start it again after `down` seconds."""
        assert self.cluster.pid
        os.kill(self.cluster.pid, signal.SIGQUIT if immediate else signal.SIGINT)
        self.cluster.stop()
        time.sleep(down)
        self.cluster.start()

    def approve(self) -> None:
        """Act as the team lead: approve all waiting plans and clear stalls.

        Issues stall that have lost their worker too often.
        """
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
            with suppress(GuardiaError):  # decided on or changed since the query
                decisions.decide(
                    self.board, lead, plan.task_id, approve=True, plan_hash=plan.plan_hash
                )

    def until(
        self, true: Callable[[], bool], what: str, seconds: float = 400.0, pause: float = 0.2
    ) -> None:
        """Approve until the condition is true; on failure, raise with the workers' logs."""

        def look() -> bool:
            self.approve()
            with suppress(*OUTAGE_ERRORS):
                return true()
            return False

        if not wait_until(look, seconds, pause=pause):
            tails = [f"{w.log.name}:\n{w.log.read_text()[-2000:]}" for w in self.workers]
            raise AssertionError("\n".join([what, str(self.states()), *tails]))

    # --- observations ---------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return a query's rows; there are many, so the connection stays open."""
        with suppress(*OUTAGE_ERRORS):  # it ends with the database
            if self._connection is not None:
                return self._connection.execute(query.encode(), values).fetchall()
        self._connection = psycopg.connect(self.dsn, autocommit=True)
        return self._connection.execute(query.encode(), values).fetchall()

    def at_work(self, worker: WorkerProcess) -> list[int]:
        """Return the beats that a worker has open."""
        return [run_id for run_id, *_ in self._open_beats(worker)]

    def _open_beats(self, worker: WorkerProcess) -> list[tuple[int, int | None, int, int]]:
        """Return a worker's open beats, each with its task, fence and worker id."""
        query = """select distinct on (run.run_id) run.run_id, task.task_id,
                          coalesce(task.fence, 0), job.worker_id
                   from tb_agent_run as run
                   join procrastinate_jobs as job on job.lock = 'agent:' || run.agent_id
                   left join tb_ops_task as task on task.run_id = run.run_id
                        -- Tasks that wait for people are never taken over.
                        and task.status in ('RECEIVED', 'PARSED', 'APPROVED', 'IN_PROGRESS')
                   where run.ended_at is null and job.status = 'doing'
                     and job.worker_id = any(%s)"""
        return self.rows(query, sorted(worker.numbers))

    def _watch(self, losses: list[WorkerLoss]) -> None:
        """Poll the takeovers every 50 ms, also after database outages."""
        deadline = time.monotonic() + 300
        open_ones = [loss for loss in losses if loss.task_id is not None]
        while open_ones and time.monotonic() < deadline:
            with suppress(*OUTAGE_ERRORS), psycopg.connect(self.dsn, autocommit=True) as connection:
                while open_ones and time.monotonic() < deadline:
                    for loss in open_ones:
                        _poll_takeover(connection, loss)
                    open_ones = [loss for loss in open_ones if not loss.is_taken_over]
                    time.sleep(0.05)
            time.sleep(0.05)

    def losses_are_closed(self) -> bool:
        """Return whether every lost beat has been closed, mostly by its successor."""
        return all(self._closed(loss)[0] for loss in self.losses)

    def takeovers(self, *, had_spare_worker: bool) -> list[WorkerLoss]:
        """Return the taken-over tasks, the slowest last; optionally only those with a spare worker.

        A beat that its paused worker still ended in order does not count.
        """
        found = []
        for loss in self.losses:
            ended, how = self._closed(loss)
            if (
                loss.reclaimed_at is not None
                and how == "lost"
                and (loss.had_spare_worker or not had_spare_worker)
            ):
                loss.next_beat_at = ended
                found.append(loss)
        return sorted(found, key=lambda loss: loss.seconds(loss.reclaimed_at))

    def _closed(self, loss: WorkerLoss) -> tuple[datetime, str]:
        query = "select ended_at, outcome from tb_agent_run where run_id = %s"
        at, how = self.rows(query, loss.run_id)[0]
        return at, how

    def states(self) -> Counter[str]:
        """Return the number of issues by state."""
        query = "select status, count(*) from tb_sr_request group by 1"
        return Counter(dict(self.rows(query)))

    def ended(self) -> int:
        """Return how many issues have ended."""
        return sum(n for state, n in self.states().items() if state in FINAL_STATES)

    def done(self) -> int:
        """Return how many targets were changed."""
        return sum(bool(target.effects) for target in self.issues.values())

    def settled(self) -> bool:
        """Return whether all issues have ended and no job is left."""
        left = "select 1 from procrastinate_jobs where status in ('todo', 'doing') limit 1"
        return self.ended() == len(self.issues) and not self.rows(left)

    def effect_counts(self) -> Counter[str]:
        """Classify each issue by what was done to its target and what the board says."""
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
        """Return how many messages were received how often."""
        return Counter(self.services.posts.values())

    def open_runs(self) -> int:
        """Return the number of beats that were never closed."""
        return int(self.rows("select count(*) from tb_agent_run where ended_at is null")[0][0])

    def audit_log_is_intact(self) -> bool:
        """Return whether the audit log verifies."""
        with self.board.database.reading() as session:
            return bool(audit_log.verify_all(session).intact)

    @cached_property
    def carrier_hosts(self) -> list[Host]:
        """The fleet's real servers."""
        return [self.fleet.inventory.host(name) for name in CARRIER_SERVERS]

    def close(self) -> None:
        """End all workers, including paused ones, and the own connection."""
        if self._connection is not None:
            self._connection.close()
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait()


def _poll_takeover(connection: psycopg.Connection[Any], loss: WorkerLoss) -> None:
    query = """select now(),
                      not exists (select from procrastinate_workers where id = %s),
                      exists (select from tb_ops_task where task_id = %s and fence > %s)"""
    values = (loss.worker, loss.task_id, loss.fence)
    row = connection.execute(query, values).fetchone()
    assert row is not None
    if row[1] and loss.detected_at is None:
        loss.detected_at = row[0]
    if row[2]:
        loss.reclaimed_at, loss.cpu_wait = row[0], cpu_wait_seconds() - loss.cpu_wait


@contextmanager
def open_chaos_run(
    cluster: Cluster, fleet: RunningFleet, home: Path, count: int, *, requests: bool = True
) -> Iterator[ChaosRun]:
    """Prepare `count` deployments and six agents over a PostgreSQL of their own.

    `requests`: open a request for each of them.
    """
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
    threading.Thread(target=services.serve_forever, args=(0.02,), daemon=True).start()
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
            notary=Notary(WitnessFiles.of(Settings(home=home))),
            planner=CatalogPlanner(),
        ),
    )
    try:
        operators = "\n".join(OPERATOR.format(n=n) for n in range(1, 7))
        chart.apply_chart(made.board, CHART.format(operators=operators), Actor.operator("test"))
        hosts = tuple(
            target.host(made.carrier_hosts[number % len(CARRIER_SERVERS)], services.server_port)
            for number, target in enumerate(targets.values())
        )
        names = fleet.directory()
        chart.import_directory(
            made.board, names.model_copy(update={"servers": hosts, "owners": ()}), {}
        )
        if requests:
            made.open_issues()
        yield made
    finally:
        made.close()
        database.close()
        services.shutdown()
        services.server_close()
