"""The control script of every service: its verbs, and the process that it names."""

from __future__ import annotations

import pytest
from fleet_services import control, get, service_of
from ssh_probe import SshProbe

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.mark.slow
def test_the_control_script_reports_the_state(practice: RunningFleet, probe: SshProbe) -> None:
    server = "MOF-WAS-02"
    code, text = control(probe, server, "status")
    assert code == 0
    assert "running (pid" in text
    assert control(probe, server, "start")[1].startswith("budget: already running")
    assert control(probe, server, "stop") == (0, "budget: stopped\n")
    assert control(probe, server, "status") == (3, "budget: not running\n")
    assert control(probe, server, "stop") == (0, "budget: not running\n")
    assert control(probe, server, "reload")[0] == 3
    assert control(probe, server, "nonsense")[0] == 2
    code, text = control(probe, server, "restart")
    assert code == 0
    assert "started" in text
    assert get(service_of(practice, server), "/health")[0] == 200


@pytest.mark.slow
def test_a_service_started_by_hand_belongs_to_the_server(
    practice: RunningFleet, probe: SshProbe
) -> None:
    """It outlives the session, is not listed as a command, and inherits nothing of the session."""
    control(probe, "MOF-WAS-02", "restart")
    entry = next(e for e in practice.status()["servers"] if e["server"] == "MOF-WAS-02")
    assert (entry["state"], entry["commands"]) == ("up", [])
    root = service_of(practice, "MOF-WAS-02").root
    names = probe.run(
        "MOF-WAS-02", f"tr '\\0' '\\n' </proc/$(cat {root}/run/budget.pid)/environ | cut -d= -f1"
    )
    assert set(str(names.stdout).split()) == {"PATH", "LANG", "HOME"}


@pytest.mark.slow
def test_a_pid_of_another_process_is_not_the_service(
    practice: RunningFleet, probe: SshProbe
) -> None:
    root = service_of(practice, "MOF-WAS-02").root
    control(probe, "MOF-WAS-02", "stop")
    probe.run("MOF-WAS-02", f"echo 1 > {root}/run/budget.pid")
    assert control(probe, "MOF-WAS-02", "status") == (3, "budget: not running\n")
    assert control(probe, "MOF-WAS-02", "stop") == (0, "budget: not running\n")
