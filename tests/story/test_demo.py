"""`guardia demo` as a newcomer runs it: one process tree, real ports, one line of JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from command_line import environment, run_process, start_process
from waiting import PATIENCE, wait_until

pytestmark = pytest.mark.slow

QUERY = """
select status, count(*) from tb_ops_task group by status;
select count(*) as broken from v_audit_integrity where integrity_status <> 'VALID';
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Return a data folder that the database's unprivileged account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="guardia-demo-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def demo_env(place: Path) -> dict[str, str]:
    return environment(place, GUARDIA_PORT="0")


def processes_of(place: Path) -> list[psutil.Process]:
    """Return every process that uses this data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if process.pid != os.getpid() and (
                str(place) in words or process.environ().get("GUARDIA_HOME") == str(place)
            ):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def gone(place: Path) -> bool:
    return wait_until(lambda: processes_of(place) == [])


def run_demo(place: Path, *more: str) -> tuple[int, dict[str, object]]:
    done = run_process("demo", "--yes", "--exit", "--json", *more, env=demo_env(place))
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("seconds", [1.0, 3.0, 9.0])
def test_killed_at_any_moment_it_leaves_nothing_running(place: Path, seconds: float) -> None:
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = start_process("demo", env=demo_env(place), **silent)
    time.sleep(seconds)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert gone(place), processes_of(place)


def test_after_that_it_starts_again_and_ctrl_c_ends_it(place: Path) -> None:
    running = start_process("demo", env=demo_env(place), stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    timeout = threading.Timer(4 * PATIENCE, running.kill)
    timeout.start()
    for line in running.stdout:
        if "guardia approve" in line:
            break
    else:
        pytest.fail("the demo ended before the approval")
    timeout.cancel()
    running.send_signal(signal.SIGINT)
    running.wait(PATIENCE)
    assert gone(place), processes_of(place)


def test_after_all_that_it_completes_and_leaves_nothing_running(place: Path) -> None:
    code, found = run_demo(place)
    assert (code, found["ok"], found["status"]) == (0, True, "COMPLETED")
    assert found["chain"] is True
    assert gone(place), processes_of(place)


def test_afterwards_the_audit_log_verifies_and_sql_runs(place: Path, tmp_path: Path) -> None:
    assert run_process("audit", "verify", env=demo_env(place)).returncode == 0
    file = tmp_path / "q.sql"
    file.write_text(QUERY)
    rows = run_process("db", "sql", file, env=demo_env(place), check=True).stdout
    assert "COMPLETED\t1" in rows
    assert "broken\n0" in rows
    assert gone(place), processes_of(place)
