"""`guardia up` brings its database back, and its health checks are right all the time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import environment, run_process, start_process
from waiting import PATIENCE, wait_until

from guardia.db.cluster_folder import ClusterFolder
from guardia.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(home: Path) -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="up-", dir=home))
    found.chmod(0o711)
    yield found
    shutil.rmtree(found)


def checks(address: str) -> dict[str, Any]:
    try:
        return dict(httpx.get(f"{address}/readyz", timeout=PATIENCE).json()["checks"])
    except httpx.HTTPError:
        return {}


def ok(address: str, *names: str) -> bool:
    found = checks(address)
    return all(found.get(name, {}).get("ok") for name in names)


def test_the_database_is_killed_and_comes_back(folder: Path) -> None:
    env = environment(folder, GUARDIA_PORT="0")
    data = ClusterFolder(Settings(home=folder).postgres)
    with (folder / "up.log").open("wb") as log:
        up = start_process("up", env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert up.stdout is not None
        found = re.search(r"http://\S+", up.stdout.readline())
        assert found, (folder / "up.log").read_text()
        address = found[0]
        assert wait_until(lambda: ok(address, "database", "workers", "clock", "stop", "chart"))
        killed = data.postmaster()
        assert killed
        os.kill(killed, signal.SIGKILL)
        assert wait_until(lambda: data.postmaster() not in {None, killed})
        assert httpx.get(f"{address}/healthz", timeout=PATIENCE).status_code == 200
        for words in (("audit", "verify"), ("kill", "--reason", "시험")):
            done = run_process(*words, env=env)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert wait_until(lambda: ok(address, "database", "workers"))
        told = json.loads(run_process("status", "--json", env=env).stdout)["checks"]
        assert told["database"]["ok"] and told["workers"]["alive"] == 1
        again = run_process("serve", env={**env, "GUARDIA_PORT": address.rpartition(":")[2]})
        assert again.returncode == 1 and "Traceback" not in again.stderr
        assert data.postmaster() not in {None, killed}
    finally:
        up.terminate()
        assert up.wait(PATIENCE) == 0
        up.stdout.close()  # type: ignore[union-attr]
    assert data.server_pids() == []
    done = run_process("status", env=env)
    assert done.returncode == 1 and data.postmaster() is None  # it starts nothing
