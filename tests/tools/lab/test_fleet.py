"""The life of a fleet: however it ends, nothing of it is left, and it comes up again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardia.errors import Misconfigured
from guardia.tools.lab import fleet as fleet_module
from guardia.tools.lab.children import below
from guardia.tools.lab.running import RunningFleet

from .conftest import Reach, processes, until

OWNER = """
import sys, time
from pathlib import Path
from guardia.tools.lab.running import RunningFleet
fleet = RunningFleet.spawn(Path(sys.argv[1])).ready()
print(fleet.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["isolated", "plain"])
def place(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder for a fleet of its own, with a process namespace and without."""
    if request.param == "plain":
        monkeypatch.setenv(fleet_module.PLAIN, "1")
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir=home))
    folder.chmod(0o711)
    yield folder / "lab"
    shutil.rmtree(folder)


def leave_commands(fleet: RunningFleet) -> None:
    """A command that nobody waits for, and one with a child of its own."""
    reach = Reach(fleet)
    reach.run("MOF-WAS-01", "sleep 3881 </dev/null >/dev/null 2>&1 &")
    reach.run("MOF-DB-01", "setsid sleep 3882 </dev/null >/dev/null 2>&1 &")


def test_stopping_leaves_nothing(place: Path) -> None:
    with RunningFleet.spawn(place) as fleet:
        leave_commands(fleet)
        fleet.fault("hung-was")
        assert len(processes(place)) > 15
    assert processes(place) == []
    assert not (place / "inventory.json").exists()


@pytest.mark.parametrize("victim", ["launcher", "fleet"])
def test_kill_9_leaves_nothing_and_it_comes_up_again(place: Path, victim: str) -> None:
    fleet = RunningFleet.spawn(place).ready()
    assert fleet.pid
    leave_commands(fleet)
    inner = below(fleet.pid)[0].pid
    os.kill(fleet.pid if victim == "launcher" else inner, signal.SIGKILL)
    assert until(lambda: processes(place) == []), processes(place)
    fleet.stop()
    with RunningFleet.spawn(place) as again:
        assert all(finding["good"] for finding in again.status()["oracles"].values())


def test_it_ends_with_its_starter(place: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(place)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert int(owner.stdout.readline()) > 0
        assert processes(place)
    finally:
        owner.kill()
        owner.communicate()
    assert until(lambda: processes(place) == []), processes(place)


def test_it_ends_when_a_server_is_lost(place: Path) -> None:
    """A fleet with six servers would only mislead."""
    fleet = RunningFleet.spawn(place).ready()
    assert fleet.pid
    inner = below(fleet.pid)[0].pid
    leave_commands(fleet)
    os.kill(below(inner)[0].pid, signal.SIGKILL)
    assert until(lambda: processes(place) == []), processes(place)
    fleet.stop()


def test_a_second_start_attaches(fleet: RunningFleet) -> None:
    with RunningFleet.spawn(fleet.home) as second:
        assert not second.owned
        assert second.inventory == fleet.inventory
    assert fleet.alive()


def test_a_start_restores_the_known_state_at_the_same_ports(home: Path) -> None:
    place = home / "again"
    with RunningFleet.spawn(place) as first:
        before = {h.server_id: (h.port, h.host_key, h.services) for h in first.inventory.hosts}
        service = first.inventory.host("MOF-WAS-02").services[0]
        Reach(first).run("MOF-WAS-02", f"ln -sfn releases/3.1.1 {service.root}/current")
        first.fault("hung-was")
    began = time.monotonic()
    with RunningFleet.spawn(place) as second:
        took = time.monotonic() - began
        after = {h.server_id: (h.port, h.host_key, h.services) for h in second.inventory.hosts}
        assert after == before
        assert all(finding["good"] for finding in second.status()["oracles"].values())
    assert took < 8
    shutil.rmtree(place)


def test_a_taken_port_is_passed_over(home: Path) -> None:
    import socket

    place = home / "ports"
    with RunningFleet.spawn(place) as first:
        port = first.inventory.host("MOF-WAS-01").port
    with socket.create_server(("127.0.0.1", port)), RunningFleet.spawn(place) as second:
        assert second.inventory.host("MOF-WAS-01").port != port
    shutil.rmtree(place)


def test_spoiled_databases_are_made_anew(home: Path) -> None:
    place = home / "spoiled"
    with RunningFleet.spawn(place):
        pass
    control_file = place / "pg" / "MOF-DB-01" / "pgdata" / "global" / "pg_control"
    control_file.write_bytes(b"spoiled")
    with RunningFleet.spawn(place) as fleet:
        assert fleet.healthy("lock-chain")
    shutil.rmtree(place)


def test_a_fleet_that_cannot_start_says_why(home: Path) -> None:
    place = home / "broken"
    place.mkdir()
    (place / "hosts").write_text("not a folder")
    with pytest.raises(Misconfigured, match="hosts"):
        RunningFleet.spawn(place).ready()
    assert processes(place) == []
    shutil.rmtree(place)


def test_without_a_volume_the_fault_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the kernel refuses: no namespaces at all (forced by a limit of none)."""
    limit = Path("/proc/sys/user/max_mnt_namespaces")
    if os.geteuid() != 0 or not limit.exists():
        pytest.skip("only root may set the limit")
