"""Figures of the demo: first and second start, wake -> first step, memory, idle CPU.

    make bench NAME=demo ARGS="--idle 60"

Peer, on this kind of machine (Paperclip 2026.916): nothing -> usable API 78 s; wake -> work 224 ms
p50; server memory 0.6 GB at start; idle 29% of a core. A new data folder is used and removed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
from command_line import run_process, start_process

WAKES = """
select extract(epoch from min(r.started_at - w.created_at)) * 1000
from tb_wake w join tb_agent_run r using (run_id)
where r.started_at > w.created_at group by w.wake_id
"""


def run_demo(environment: dict[str, str], *more: str) -> dict[str, object]:
    """Run one whole demo and return the JSON that it prints last."""
    started = time.monotonic()
    done = run_process("demo", "--yes", "--exit", "--json", *more, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "exit": done.returncode, "process_seconds": time.monotonic() - started}


def process_tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    return [process, *process.children(recursive=True)]


def role(process: psutil.Process) -> str:
    """Return what a process is, in a few words."""
    words = " ".join(process.cmdline())
    for sign, name in (
        (" demo", "demo (command line)"),
        ("guardia up", "board + clock + worker"),
        ("postgres", "PostgreSQL (GUARDiA's and the fleet's)"),
        ("lab", "practice fleet"),
    ):
        if sign in words:
            return name
    return "practice fleet"


def cpu(processes: list[psutil.Process]) -> dict[str, float]:
    """Return CPU seconds so far by role."""
    spent: dict[str, float] = {}
    for process in processes:
        try:
            times = process.cpu_times()
            spent[role(process)] = spent.get(role(process), 0.0) + times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return spent


def memory(processes: list[psutil.Process]) -> dict[str, float]:
    """Return proportional memory (MB) by role: shared pages count once."""
    held: dict[str, float] = {}
    for process in processes:
        try:
            size = process.memory_full_info().pss / 1e6
            held[role(process)] = held.get(role(process), 0.0) + size
        except psutil.NoSuchProcess:
            continue
    return held


def start_idle_demo(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a demo; return once its story has ended and it keeps running."""
    with log.open("wb") as out:
        running = start_process("demo", "--yes", env=environment, stdout=out, stderr=out)
    while "Ctrl-C" not in log.read_text("utf-8", "replace"):
        if running.poll() is not None:
            raise SystemExit(log.read_text("utf-8"))
        time.sleep(0.2)
    return running


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to watch idle CPU")
    idle = parser.parse_args().idle
    home = Path(tempfile.mkdtemp(prefix="guardia-bench-"))
    home.chmod(0o711)
    environment = {**os.environ, "GUARDIA_HOME": str(home), "LANGSMITH_TRACING": "false"}
    try:
        for name in ("first start to COMPLETED", "second start to COMPLETED"):
            found = run_demo(environment)
            seconds, entries = found["seconds"], found["audit_entries"]
            print(f"{name}: {seconds} s, ok={found['ok']}, {entries} entries")
        running = start_idle_demo(environment, home / "bench.log")
        try:
            measure_idle(running, environment, idle)
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure_idle(
    running: subprocess.Popen[bytes], environment: dict[str, str], idle: float
) -> None:
    """Print figures of an idle demo."""
    dsn = run_process("db", "url", env=environment, check=True).stdout.strip()
    with psycopg.connect(dsn) as connection:
        waits = sorted(float(row[0]) for row in connection.execute(WAKES).fetchall())
    print(f"wake -> beat begins: p50 {statistics.median(waits):.0f} ms of {len(waits)} wakes")
    processes = process_tree(psutil.Process(running.pid))
    for name, size in sorted(memory(processes).items()):
        print(f"memory after the demo, {name}: {size:.0f} MB")
    before, started = cpu(processes), time.monotonic()
    time.sleep(idle)
    after, seconds = cpu(processes), time.monotonic() - started
    for name in sorted(after):
        share = (after[name] - before.get(name, 0.0)) / seconds * 100
        print(f"idle CPU over {seconds:.0f} s, {name}: {share:.2f}% of a core")


if __name__ == "__main__":
    main()
