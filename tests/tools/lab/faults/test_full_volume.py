"""The volume is real, mounted for one server only, and stays full until the flood ends."""

from __future__ import annotations

import os

import pytest
from ssh_probe import SshProbe
from waiting import wait_until

from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.usefixtures("volume")


@pytest.mark.slow
def test_a_full_volume_stays_full_until_the_flood_ends(
    practice: RunningFleet, probe: SshProbe
) -> None:
    finding = practice.fault("full-volume")
    assert finding.evidence["status"] == 500
    service = practice.inventory.host("MOIS-WAS-01").services[0]
    server, logs = "MOIS-WAS-01", service.logs
    full = probe.run(server, f"df --output=pcent {logs} | tail -1; echo x > {logs}/probe")
    assert "100%" in str(full.stdout)
    assert "No space left" in str(full.stderr)
    probe.run(server, f"truncate -s 0 {logs}/app-debug.log")
    assert wait_until(lambda: practice.oracle("full-volume").evidence["used_percent"] > 80)
    level = f"echo INFO > {service.root}/conf/log_level; {service.control} reload"
    probe.run(server, f"{level}; sleep 0.2; truncate -s 0 {logs}/app-debug.log")
    assert wait_until(lambda: practice.is_healthy("full-volume"))


@pytest.mark.slow
def test_the_volume_is_mounted_for_its_server_only(fleet: RunningFleet, probe: SshProbe) -> None:
    logs = fleet.inventory.host("MOIS-WAS-01").services[0].logs
    assert logs
    inside = probe.run("MOIS-WAS-01", f"stat -f -c %T {logs}; ls {logs}")
    assert str(inside.stdout).startswith("tmpfs\n")
    assert "app.log" in str(inside.stdout)
    assert os.listdir(logs) == []
    assert probe.run("MOF-WAS-01", f"ls {logs}").stdout == ""
