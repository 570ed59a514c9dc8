"""A hung server keeps its port open, and a restart repairs it."""

from __future__ import annotations

import pytest
from ssh_probe import SshProbe

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.mark.slow
def test_a_hung_server_keeps_its_port_and_a_restart_helps(
    practice: RunningFleet, probe: SshProbe
) -> None:
    practice.fault("hung-was")
    service = practice.inventory.host("MOF-WAS-01").services[0]
    opened = probe.run("MOF-WAS-01", f"exec 3<>/dev/tcp/127.0.0.1/{service.port} && echo open")
    assert opened.stdout == "open\n"
    states = {entry["server"]: entry["state"] for entry in practice.status()["servers"]}
    assert states["MOF-WAS-01"] == "stopped"
    done = probe.run("MOF-WAS-01", f"{service.control} restart")
    assert done.exit_status == 0, done.stderr
    assert practice.is_healthy("hung-was")
