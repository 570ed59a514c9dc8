"""Life cycle of a fleet: however it ends, nothing is left, and it can be started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ssh_probe import SshProbe, processes
from waiting import PATIENCE, wait_until

from guardia.errors import Misconfigured, Refused
from guardia.org.directory import Service
from guardia.tools.lab import fleet as fleet_module
from guardia.tools.lab import fleet_command
from guardia.tools.lab.child_processes import descendants
from guardia.tools.lab.running_fleet import RunningFleet

OWNER = """
import sys, time
from pathlib import Path
from guardia.tools.lab.running_fleet import RunningFleet
fleet = RunningFleet.spawn(Path(sys.argv[1])).wait_until_ready()
print(fleet.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["isolated", "plain"])
def place(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder for a separate fleet, with and without a process namespace."""
    if request.param == "plain":
        monkeypatch.setenv(fleet_module.PLAIN_VARIABLE, "1")
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir=home))
    folder.chmod(0o711)
    yield folder / ("lab" * 30)  # too long for a socket's path, so that this is tried as well
    shutil.rmtree(folder)


def leave_commands(fleet: RunningFleet) -> None:
    """Start a command that no client waits for, and one with a child of its own."""
    probe = SshProbe(fleet)
    probe.run("MOF-WAS-01", "sleep 3881 </dev/null >/dev/null 2>&1 &")
    probe.run("MOF-DB-01", "setsid sleep 3882 </dev/null >/dev/null 2>&1 &")


@pytest.mark.slow
def test_stopping_leaves_nothing(place: Path) -> None:
    with RunningFleet.spawn(place) as fleet:
        leave_commands(fleet)
        fleet.fault("hung-was")
        assert len(processes(place)) > 15
        if os.environ.get(fleet_module.PLAIN_VARIABLE) == "1":
            assert not fleet.inventory.volumes
            with pytest.raises(Refused, match="커널"):
                fleet.fault("full-volume")
            assert fleet.is_healthy("full-volume")
        control = fleet.inventory.control
    assert processes(place) == []
    assert not (place / "inventory.json").exists()
    assert not control.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["launcher", "fleet"])
def test_kill_9_leaves_nothing_and_it_starts_again(place: Path, victim: str) -> None:
    fleet = RunningFleet.spawn(place).wait_until_ready()
    assert fleet.pid
    leave_commands(fleet)
    inner = descendants(fleet.pid)[0].pid
    os.kill(fleet.pid if victim == "launcher" else inner, signal.SIGKILL)
    assert wait_until(lambda: processes(place) == []), processes(place)
    control = fleet.inventory.control
    fleet.stop()
    with RunningFleet.spawn(place) as again:
        assert not control.parent.exists()
        assert all(finding["good"] for finding in again.status()["oracles"].values())


@pytest.mark.slow
def test_it_ends_with_the_process_that_started_it(place: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(place)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert int(owner.stdout.readline()) > 0
        assert processes(place)
    finally:
        owner.kill()
        owner.communicate()
    assert wait_until(lambda: processes(place) == []), processes(place)


@pytest.mark.slow
def test_it_ends_whenever_it_is_asked_to_while_it_starts(place: Path) -> None:
    """A request that came while modules were imported, or right after a fork, was once lost."""
    for attempt in range(20):
        starting = subprocess.Popen(fleet_command.command(place), start_new_session=True)
        forked = wait_until(lambda starting=starting: descendants(starting.pid), pause=0.001)
        assert forked
        time.sleep(attempt * 0.02)
        starting.terminate()
        try:
            assert starting.wait(PATIENCE) in {0, -signal.SIGTERM}, attempt
        finally:
            starting.kill()
    assert wait_until(lambda: processes(place) == []), processes(place)


@pytest.mark.slow
def test_it_ends_when_a_server_is_lost(place: Path) -> None:
    """A fleet with six servers would only mislead."""
    fleet = RunningFleet.spawn(place).wait_until_ready()
    assert fleet.pid
    inner = descendants(fleet.pid)[0].pid
    leave_commands(fleet)
    os.kill(descendants(inner)[0].pid, signal.SIGKILL)
    assert wait_until(lambda: processes(place) == []), processes(place)
    fleet.stop()


def test_a_second_start_attaches(fleet: RunningFleet) -> None:
    with RunningFleet.spawn(fleet.home) as second:
        assert not second.is_owned
        assert second.inventory == fleet.inventory
    assert fleet.is_alive()


@pytest.mark.slow
def test_of_two_concurrent_starts_one_wins_and_a_third_replaces_a_killed_one(home: Path) -> None:
    place = home / "race"
    pair = [RunningFleet.spawn(place), RunningFleet.spawn(place)]
    for each in pair:
        each.wait_until_ready()
    assert sorted(each.is_owned for each in pair) == [False, True]
    assert pair[0].inventory == pair[1].inventory
    (winner,) = (each for each in pair if each.is_owned)
    assert winner.pid
    os.kill(winner.pid, signal.SIGKILL)
    assert wait_until(lambda: not pair[0].is_alive() and not pair[1].is_alive())
    # The kernel ends the servers of a killed fleet one after another.
    assert wait_until(lambda: processes(place) == [])
    with RunningFleet.spawn(place) as third:
        assert third.is_owned
        assert third.is_healthy("hung-was")
    shutil.rmtree(place)


@pytest.mark.slow
def test_the_next_start_restores_changed_and_damaged_files(home: Path) -> None:
    place = home / "again"
    with RunningFleet.spawn(place) as first:
        before = addresses(first)
        service = first.inventory.host("MOF-WAS-02").services[0]
        SshProbe(first).run("MOF-WAS-02", f"ln -sfn releases/3.1.1 {service.root}/current")
        first.fault("hung-was")
    (place / "pg" / "MOF-DB-01" / "pgdata" / "global" / "pg_control").write_bytes(b"spoiled")
    taken = before["MOE-WEB-01"][0]
    with socket.create_server(("127.0.0.1", taken)), RunningFleet.spawn(place) as second:
        after = addresses(second)
        assert all(finding["good"] for finding in second.status()["oracles"].values())
    assert after.pop("MOE-WEB-01")[0] != before.pop("MOE-WEB-01")[0]
    assert after == before
    shutil.rmtree(place)


def addresses(fleet: RunningFleet) -> dict[str, tuple[int, str, tuple[Service, ...]]]:
    return {h.server_id: (h.port, h.host_key, h.services) for h in fleet.inventory.hosts}


@pytest.mark.slow
def test_a_failed_start_is_explained(home: Path) -> None:
    place = home / "broken"
    place.mkdir()
    (place / "hosts").write_text("not a folder")
    with pytest.raises(Misconfigured, match="hosts"):
        RunningFleet.spawn(place).wait_until_ready()
    assert processes(place) == []
    shutil.rmtree(place)
