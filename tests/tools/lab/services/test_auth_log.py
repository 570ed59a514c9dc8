"""The login log of the security server."""

from __future__ import annotations

from fleet_services import control, service_of
from ssh_probe import SshProbe

from guardia.tools.lab.running_fleet import RunningFleet


def test_the_auth_log_holds_refused_logins(fleet: RunningFleet, probe: SshProbe) -> None:
    service = service_of(fleet, "MOIS-SEC-01")
    lines = str(probe.run("MOIS-SEC-01", f"cat {service.logs}/auth.log").stdout).splitlines()
    assert len(lines) >= 300
    refused = [line for line in lines if "Failed password for invalid user" in line]
    assert 10 < len(refused) < len(lines) / 2
    assert control(probe, "MOIS-SEC-01", "status")[0] == 0
