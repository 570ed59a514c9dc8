"""`guardia lab` as people and programs use it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import environment, run_process, start_process
from ssh_probe import processes
from waiting import PATIENCE, wait_until

from guardia.tools.lab.running_fleet import RunningFleet


def guardia(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_process("lab", *words, env=environment(home))


@pytest.fixture
def running(home: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    place = home / "line"
    streams = {"stdout": subprocess.PIPE, "text": True}
    child = start_process("lab", "up", "--json", env=environment(place), **streams)
    yield place, child
    child.kill()
    child.communicate()
    assert wait_until(lambda: processes(place) == [])
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
def test_up_prints_the_inventory_and_ends_on_request(
    running: tuple[Path, subprocess.Popen[str]],
) -> None:
    place, child = running
    assert child.stdout is not None
    assert len(json.loads(child.stdout.readline())["hosts"]) == 7
    assert RunningFleet.find(place / "lab").is_alive()
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE) == 0
    assert processes(place) == []


@pytest.mark.slow
def test_faults_by_hand(practice: RunningFleet) -> None:
    home = practice.home.parent
    put = guardia(home, "fault", "hung-was", "--json")
    assert json.loads(put.stdout)["good"] is False
    seen = json.loads(guardia(home, "status", "--json").stdout)
    assert seen["oracles"]["hung-was"]["good"] is False
    table = guardia(home, "status").stdout
    assert "MOF-WAS-01" in table
    assert "이상" in table
    assert "장애 해제" in guardia(home, "heal", "hung-was").stdout
    assert practice.is_healthy("hung-was")


@pytest.mark.slow
def test_without_a_fleet_it_fails(tmp_path: Path) -> None:
    done = guardia(tmp_path, "status")
    assert done.returncode == 2
    assert "연습용 서버" in done.stderr
