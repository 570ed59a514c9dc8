"""Machines are whole systems, reachable like any other, and leave nothing at their end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from command_line import environment, start_process
from machine_ssh import ssh
from machines_env import Machine, require_machines, started_machines
from remote_processes import processes_with, unique_seconds
from waiting import PATIENCE, hang_guard, wait_until

from guardia.errors import Refused
from guardia.tools.lab.child_processes import list_processes
from guardia.tools.lab.machines import cgroups
from guardia.tools.lab.machines.inventory import FILE_NAME
from guardia.tools.lab.machines.order import Order
from guardia.tools.lab.machines.running_machines import RunningMachines

pytestmark = [pytest.mark.machines, pytest.mark.slow]


def test_a_current_machine(machine: Machine, tmp_path: Path) -> None:
    # Tests of tools that ran on it before may have made a unit fail.
    machine.must("systemctl reset-failed")
    script = "cat /proc/1/comm; id -un; sudo -n true; systemctl is-system-running"
    done = ssh(machine, script, tmp_path / "known")
    assert done.stdout.split() == [b"systemd", b"ops", b"running"], done
    assert b"password" in done.stderr
    assert machine.must("hostname").strip() == "all-1"
    assert "nginx.service" in machine.must("cat /proc/$(pgrep -o nginx)/cgroup")
    assert "ops" not in machine.must("getent group adm systemd-journal sudo")


def test_a_machine_of_another_make(old_machine: Machine, tmp_path: Path) -> None:
    script = "cat /proc/1/comm; echo $0; echo $LANG; command -v systemctl || echo none"
    done = ssh(old_machine, script, tmp_path / "known")
    assert done.stdout.split() == [b"init", b"dash", b"ko_KR.eucKR", b"none"], done
    logs = old_machine.must("cat /app/was/logs/minwon_*.log | base64 -w0")
    log = subprocess.run(["base64", "-d"], input=logs.encode(), capture_output=True, check=True)
    assert "민원 시스템 상태 점검: 정상" in log.stdout.decode("cp949")
    with pytest.raises(UnicodeDecodeError):
        log.stdout.decode("utf-8")
    with socket.create_connection((old_machine.address, old_machine.ports["postgresql"])):
        pass


def test_only_loopback_addresses(machine: Machine, old_machine: Machine) -> None:
    """A machine shares the host's network, so nothing of it may listen on every address."""
    for one in (machine, old_machine):
        listening = [line.split() for line in one.must("ss -ltnpH").splitlines()]
        own = {words[3].rpartition(":")[0] for words in listening if "users:" in words[-1]}
        assert own
        assert all(one.address in address for address in own), own


def test_a_second_start_in_the_same_folder_is_refused(machine: Machine) -> None:
    order = Order(roles=("web",), images=Path("/nowhere"))
    second = RunningMachines(machine.running.home)
    with pytest.raises(Refused):
        RunningMachines.spawn(second.home, order).wait_until_ready()
    assert machine.running.is_alive()


def test_two_fleets_side_by_side(machine: Machine) -> None:
    with started_machines("web") as other:
        entry = other.inventory.machines[0]
        assert entry.address != machine.address
        assert other.run_as_root("web-1", "systemctl stop nginx").exit == 0
        assert machine.must("systemctl is-active nginx").strip() == "active"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_nothing_is_left(number: signal.Signals) -> None:
    with started_machines("web") as running:
        mark, home = unique_seconds(), running.home
        running.run_as_root("web-1", f"setsid sleep {mark} </dev/null >/dev/null 2>&1 &")
        assert _groups(home)
        os.kill(running.pid, number)
        assert wait_until(lambda: not running.is_alive())
        assert wait_until(lambda: not (home / FILE_NAME).exists())
        assert wait_until(lambda: not processes_with(mark))
        assert wait_until(lambda: not _traces(home)), _traces(home)


def test_they_end_with_the_command(tmp_path: Path) -> None:
    """`guardia lab up --machines` is killed and can do nothing about it itself."""
    require_machines()
    home = tmp_path / "machines"
    child = start_process(
        "lab", "up", "--machines", "--role", "web", "--json",
        env=environment(tmp_path), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    with hang_guard("the machines start", minutes=20):
        assert '"fingerprint":' in child.stdout.readline()
    assert _groups(home)
    child.kill()
    child.communicate(timeout=PATIENCE)
    assert wait_until(lambda: not _of(str(tmp_path)))
    assert wait_until(lambda: not _traces(home)), _traces(home)


def _of(text: str) -> list[str]:
    return [process.command for process in list_processes() if text in process.command]


def _traces(home: Path) -> set[str]:
    """Return what the machines of one folder have left on this host, where others may run too."""
    mounts = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    return _groups(home) | {line for line in mounts if str(home) in line}


def _groups(home: Path) -> set[str]:
    name = cgroups.group_name(home)
    return {
        str(path) for mount in cgroups.hierarchies()
        for path in mount.glob(f"guardia-machines/{name}") if path.is_dir()
    }  # fmt: skip
