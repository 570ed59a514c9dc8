"""Cost of beats: idle ones, their start, an idle organization, and a thousand agents.

    make bench NAME=beats ARGS=noop

Each figure has its own command: noop, tick, wake, idle, memory, thousand, claim. Everything is
real: a PostgreSQL of its own with ordinary settings, `guardia worker` as a separate process (for
`wake` it runs in this process, to see the first node begin). CPU is that of the worker, of
PostgreSQL and of this process, which wakes the agents, together: an upper bound if the machine has
other work. The peer's figures are Paperclip 2026.916's, measured on this kind of machine: 10
beats/s, 140-173 CPU-ms each; 224/298 ms to the start; 29 % of a core idle; 1.3 GB.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from pathlib import Path

import psycopg
from command_line import environment, running_worker, start_process

from guardia.agents import checkpoints
from guardia.board.core import wakes
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.issues import receiving
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats as run_beats
from guardia.board.runs import ticks
from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.db.engine import Database
from guardia.db.migrate import upgrade
from guardia.org import chart
from guardia.settings import Settings

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
REQUEST = "회의실 프린터 토너 교체 부탁드려요"
"""A request that ends with a person after the dispatcher's two steps."""
_TASKS = "select count(*) from tb_ops_task"


@dataclass
class Bench:
    """A database with the shipped chart and many more agents."""

    cluster: Cluster
    home: Path
    dsn: str
    board: BoardContext
    names: list[str]

    def wake(self, agent: str) -> None:
        """Wake one agent, in a transaction of its own."""
        with self.board.database.transaction() as session:
            wakes.wake(session, agent, WakeReason.MANUAL, self.board.clock())

    def one(self, query: str) -> float:
        """Return a number from the database."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]
        return float(row[0] or 0) if row else 0.0

    def until(self, query: str, value: float, seconds: float) -> float:
        """Wait until a query returns `value`; return the seconds that took."""
        began = time.perf_counter()
        while self.one(query) != value:
            if time.perf_counter() - began > seconds:
                raise SystemExit(f"{query}: {self.one(query)} instead of {value}")
            time.sleep(0.05)
        return time.perf_counter() - began


@contextmanager
def bench(agents: int, heartbeat: str) -> Iterator[Bench]:
    """Create a database with `agents` agents in addition to the shipped ones."""
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    with Cluster(home / "pg") as cluster:
        cluster.create_roles()
        cluster.create_database("bench", owner=OWNER_ROLE)
        upgrade(cluster.dsn(OWNER_ROLE, "bench"))
        checkpoints.setup(cluster.dsn(OWNER_ROLE, "bench"))
        dsn = cluster.dsn(APPLICATION_ROLE, "bench")
        database = Database(dsn, pool_size=4)
        board = keyless_context(database)
        names = [f"agent-{n}" for n in range(agents)]
        entries = "".join(
            f"  - {{id: {n}, title: {n}, duty: operate, skills: [X], heartbeat: {heartbeat}}}\n"
            for n in names
        )
        shipped = chart.shipped_chart_path().read_text("utf-8")
        written = shipped.replace("agents:\n", f"agents:\n{entries}", 1)
        organization_chart.apply_chart(board, written, Actor.operator("bench"))
        yield Bench(cluster, home, dsn, board, names)
        database.close()


@contextmanager
def worker_process(bench: Bench) -> Iterator[int]:
    """Run `guardia worker`; yield its process id once it takes jobs."""
    env = environment(bench.home, GUARDIA_DSN=bench.dsn)
    with running_worker(env, bench.home / "worker.log") as running:
        bench.wake("was-agent")
        bench.until("select count(*) from tb_wake", 0, 60)
        yield running.pid


def cpu(pid: int) -> float:
    """Return seconds of processor time of a process and its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(f) for f in fields[11:15]) / TICK


def postgres(bench: Bench) -> list[int]:
    """Return the server's process ids."""
    file = next((bench.home / "pg").glob("**/postmaster.pid"))
    first = int(file.read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *(int(child) for child in children)]


def cpu_by_part(bench: Bench, pid: int, *, alone: bool = False) -> dict[str, float]:
    """Return seconds of processor time so far, by part."""
    found = {"worker": cpu(pid), "postgres": sum(cpu(p) for p in postgres(bench) if is_running(p))}
    return found if alone else {**found, "waker": time.process_time()}


def is_running(pid: int) -> bool:
    """Return whether the process exists."""
    return Path(f"/proc/{pid}/stat").exists()


def rss(pid: int) -> float:
    """Return resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def pss_mb(*pids: int) -> float:
    """Return the memory of these processes in MB; shared pages count once (PSS)."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total * 1024 / 1e6


def noop() -> None:
    """Run beats through the queue that find nothing to do, as many as possible, with 100 agents."""
    with bench(100, "{every: 1d}") as b, worker_process(b) as pid:
        seconds, done = 20.0, "select count(*) from tb_agent_run where outcome = 'idle'"
        for agent in b.names:
            b.wake(agent)
        b.until("select count(*) from tb_wake", 0, 120)
        first, before, began = b.one(done), cpu_by_part(b, pid), time.perf_counter()
        turn = 0
        with psycopg.connect(b.dsn, autocommit=True) as connection:
            while time.perf_counter() - began < seconds:
                waiting = connection.execute("select count(*) from tb_wake").fetchone()
                if waiting and waiting[0] > 60:
                    time.sleep(0.01)
                    continue
                for _ in range(20):
                    b.wake(b.names[turn % 100])
                    turn += 1
        b.until("select count(*) from tb_wake", 0, 60)
        took, beats = time.perf_counter() - began, b.one(done) - first
        parts = {name: value - before[name] for name, value in cpu_by_part(b, pid).items()}
        each = 1000 * sum(parts.values()) / beats
        print(f"no-op beats/s {beats / took:.0f} (peer 10, x{beats / took / 10:.1f})")
        print(f"CPU-ms each   {each:.1f} (peer 140-173, x{140 / each:.1f})  ", end="")
        print(", ".join(f"{n} {1000 * v / beats:.1f}" for n, v in parts.items()))


def tick() -> None:
    """Fire schedule ticks that find nothing to do: the cost of 100 idle agents."""
    with bench(100, "{every: 1d}") as b:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        before = cpu_by_part(b, os.getpid(), alone=True)
        began, count = time.perf_counter(), 2000
        for n in range(count):
            ticks.tick(b.board, b.names[n % 100], start + timedelta(minutes=n))
        took = time.perf_counter() - began
        parts = {n: v - before[n] for n, v in cpu_by_part(b, os.getpid(), alone=True).items()}
        each = 1000 * sum(parts.values()) / count
        print(f"idle ticks/s {count / took:.0f} one after another, CPU-ms each {each:.2f}")


def wake() -> None:
    """Measure the time from a request's commit to the first line of the first node."""
    from guardia.agents.nodes import dispatch
    from guardia.heartbeat import host

    seen: list[float] = []
    arrived, classify = threading.Event(), dispatch.classify

    @wraps(classify)
    def noticed(*args: object, **words: object) -> object:
        seen.append(time.perf_counter())
        arrived.set()
        return classify(*args, **words)  # type: ignore[arg-type]

    dispatch.classify = noticed  # type: ignore[assignment]
    with bench(100, "{every: 1d}") as b:
        settings = Settings(home=b.home)
        stop, loop = asyncio.Event(), asyncio.new_event_loop()
        working = host._run_worker(settings, b.dsn, host.HostOptions(board=False), b.board, stop)
        thread = threading.Thread(target=loop.run_until_complete, args=(working,))
        thread.start()
        times = [_start(b, arrived, seen) for _ in range(220)][20:]
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    ms = sorted(1000 * t for t in times)
    half, last = statistics.median(ms), ms[int(len(ms) * 0.99)]
    print(f"wake -> first node p50 {half:.0f} ms (peer 224, x{224 / half:.1f})")
    print(f"                   p99 {last:.0f} ms (peer 298, x{298 / last:.1f})")


def _start(b: Bench, arrived: threading.Event, seen: list[float]) -> float:
    arrived.clear()
    receiving.receive_issue(b.board, receiving.NewIssue(text=REQUEST, channel="web", sender="시험"))
    began = time.perf_counter()
    arrived.wait(60)
    b.until("select count(*) from tb_agent_run where ended_at is null", 0, 60)
    return seen[-1] - began


def idle() -> None:
    """Watch two minutes without work, with 100 agents that wake every minute."""
    with bench(100, "{every: 1m, jitter: 1m}") as b, worker_process(b) as pid:
        time.sleep(5)
        ticks, before = b.one("select count(*) from tb_tick"), cpu_by_part(b, pid, alone=True)
        time.sleep(120)
        parts = {n: (v - before[n]) / 1.2 for n, v in cpu_by_part(b, pid, alone=True).items()}
        share, fired = sum(parts.values()), b.one("select count(*) from tb_tick") - ticks
        print(f"idle CPU {share:.2f} % of a core (peer 29, x{29 / share:.0f}), {fired:.0f} ticks  ")
        print(", ".join(f"{n} {v:.2f} %" for n, v in parts.items()), f"; worker {rss(pid):.0f} MB")


def memory() -> None:
    """Measure memory after 2,000 issues and 350 runs, at work and a minute after it.

    Once in one process (`guardia up`, as on a single machine), once with worker and board apart.
    """
    with bench(100, "{every: 1d}") as b, board_process(b, "up") as both:
        _print_memory(b, "one process", [both])
    with bench(100, "{every: 1d}") as b, worker_process(b) as pid, board_process(b) as web:
        _print_memory(b, "worker + board", [pid, web])


def _print_memory(b: Bench, name: str, pids: list[int]) -> None:
    print(f"{name}: at start {pss_mb(*pids):.0f} MB", flush=True)
    for _ in range(2000):
        receiving.receive_issue(
            b.board, receiving.NewIssue(text=REQUEST, channel="web", sender="시험")
        )
    runs, handled = "select count(*) from tb_agent_run", f"{_TASKS} where status <> 'RECEIVED'"
    turn = 0
    while b.one(handled) < 350 or b.one(runs) < 350:
        b.wake(b.names[turn % 100])
        turn += 1
        time.sleep(0.02)
    print(
        f"  at work, {b.one(handled):.0f} of 2,000 handled: {_against_peer(pss_mb(*pids))}",
        flush=True,
    )
    b.until(f"{_TASKS} where status = 'RECEIVED'", 0, 900)
    time.sleep(70)
    server = pss_mb(*postgres(b))
    print(
        f"  a minute after the last of 2,000: {_against_peer(pss_mb(*pids))};"
        f" PostgreSQL {server:.0f} MB"
    )


def _against_peer(megabytes: float) -> str:
    return f"{megabytes:.0f} MB (peer 1300, x{1300 / megabytes:.1f})"


@contextmanager
def board_process(b: Bench, part: str = "serve") -> Iterator[int]:
    """Run `guardia serve` (or `up`); yield its process id once it answers."""
    env = environment(b.home, GUARDIA_DSN=b.dsn, GUARDIA_PORT="0")
    with (b.home / "serve.log").open("ab") as log:
        running = start_process(part, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while b"http://" not in (b.home / "serve.log").read_bytes():
            if time.monotonic() > deadline or running.poll() is not None:
                raise SystemExit((b.home / "serve.log").read_text())
            time.sleep(0.1)
        yield running.pid
    finally:
        running.terminate()
        running.wait(60)


def thousand() -> None:
    """Run 1,000 agents on one machine: a minute of ticks, then all woken at once."""
    with bench(1000, "{every: 30s, jitter: 30s}") as b, worker_process(b) as pid:
        time.sleep(5)
        ticks, before = b.one("select count(*) from tb_tick"), cpu_by_part(b, pid, alone=True)
        time.sleep(60)
        parts = {n: (v - before[n]) / 0.6 for n, v in cpu_by_part(b, pid, alone=True).items()}
        fired = b.one("select count(*) from tb_tick") - ticks
        print(f"1,000 agents every 30 s: {fired / 60:.1f} ticks/s of 33.3 due, ", end="")
        print(", ".join(f"{n} {v:.1f} %" for n, v in parts.items()), f"; worker {rss(pid):.0f} MB")
        before, began = cpu_by_part(b, pid), time.perf_counter()
        for agent in b.names:
            b.wake(agent)
        woken = time.perf_counter() - began
        b.until("select count(*) from tb_wake", 0, 300)
        took = time.perf_counter() - began
        parts = {n: v - before[n] for n, v in cpu_by_part(b, pid).items()}
        print(f"all woken in {woken:.1f} s, all beats over after {took:.1f} s; CPU-s ", end="")
        print(", ".join(f"{n} {v:.1f}" for n, v in parts.items()))


def claim() -> None:
    """Measure tick and claim with 100,000 tasks, few and many of them open."""
    for waiting in (200, 50_000):
        with bench(100, "{every: 1d}") as b:
            _insert_tasks(b, 100_000, waiting)
            agent, moment = "agent-1", b.board.clock()
            tick_times = [_timed(partial(ticks.tick, b.board, agent, moment)) for _ in range(20)]
            b.wake(agent)
            begun = run_beats.begin(b.board, agent)
            assert begun is not None
            claims = [_timed(partial(run_beats.claim_task, b.board, begun)) for _ in range(20)]
            tick_ms, claim_ms = (1000 * statistics.median(t) for t in (tick_times, claims))
            print(f"100,000 tasks, {waiting} open: tick {tick_ms:.1f} ms, claim {claim_ms:.1f} ms")


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _insert_tasks(b: Bench, tasks: int, waiting: int) -> None:
    with psycopg.connect(b.cluster.dsn(b.cluster.superuser, "bench")) as connection:
        # Triggers off: long ended tasks need not pass through the lifecycle.
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "insert into tb_sr_request (title, body, status, priority, channel, created_at,"
            " updated_at) select 't', repeat('b', 200), 'RECEIVED', 'P' || (1 + n %% 4), 'web',"
            " now(), now() from generate_series(1, %s) n",
            [tasks],
        )
        connection.execute(
            "insert into tb_ops_task (sr_id, priority, status, agent_id, created_at, updated_at)"
            " select sr_id, priority,"
            " case when sr_id %% %s < %s then 'PARSED' else 'COMPLETED' end,"
            " 'agent-' || case when sr_id %% %s < %s then 1 else sr_id %% 100 end, now(), now()"
            " from tb_sr_request",
            [tasks, waiting, tasks, waiting],
        )
    with psycopg.connect(b.cluster.dsn(OWNER_ROLE, "bench"), autocommit=True) as connection:
        connection.execute("vacuum analyze tb_ops_task, tb_sr_request")


FIGURES = {f.__name__: f for f in (noop, tick, wake, idle, memory, thousand, claim)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FIGURES:
        sys.exit(f"beats.py {'|'.join(FIGURES)}")
    FIGURES[sys.argv[1]]()
