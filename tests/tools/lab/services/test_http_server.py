"""The application servers of the fleet over HTTP and TLS."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
from fleet_services import control, get, service_of
from ssh_probe import SshProbe
from waiting import wait_until

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "version"),
    [("MOF-WAS-01", "3.1.0"), ("MOF-WAS-02", "3.1.0"), ("MOIS-WAS-01", "2.4.0")],
)
def test_an_application_server_reports_its_health(
    fleet: RunningFleet, server: str, version: str
) -> None:
    status, body = get(service_of(fleet, server), "/health")
    report: dict[str, Any] = json.loads(body)
    assert (status, report["version"], report["status"]) == (200, version, "UP")
    assert report["checks"] == {"application": "ok", "logs": "ok"}
    status, page = get(service_of(fleet, server), "/")
    assert status == 200
    assert "시스템" in page.decode()
    assert get(service_of(fleet, server), "/nothing")[0] == 404


def test_the_web_server_speaks_tls_with_its_own_certificate(
    fleet: RunningFleet, probe: SshProbe
) -> None:
    service = service_of(fleet, "MOE-WEB-01")
    assert get(service, "/health", "https")[0] == 200
    pem = ssl.get_server_certificate(("127.0.0.1", service.port or 0))
    assert probe.run("MOE-WEB-01", f"cat {service.root}/conf/tls.crt").stdout == pem
    assert probe.run("MOE-WEB-01", f"stat -c %a {service.root}/conf/tls.key").stdout == "600\n"


def test_a_silent_client_does_not_block_others(fleet: RunningFleet) -> None:
    import socket

    for server, scheme in (("MOF-WAS-01", "http"), ("MOE-WEB-01", "https")):
        service = service_of(fleet, server)
        with socket.create_connection(("127.0.0.1", service.port or 0)):
            assert get(service, "/health", scheme)[0] == 200


@pytest.mark.slow
def test_the_level_is_read_again_on_reload(practice: RunningFleet, probe: SshProbe) -> None:
    service = service_of(practice, "MOF-WAS-02")
    size = f"stat -c %s {service.logs}/app-debug.log 2>/dev/null || echo 0"
    probe.run("MOF-WAS-02", f"echo DEBUG > {service.root}/conf/log_level")
    assert control(probe, "MOF-WAS-02", "reload")[0] == 0
    assert wait_until(lambda: int(str(probe.run("MOF-WAS-02", size).stdout)) > 1_000_000)
    probe.run("MOF-WAS-02", f"echo INFO > {service.root}/conf/log_level")
    control(probe, "MOF-WAS-02", "reload")
    sizes: list[int] = []

    def settled() -> bool:
        before, after = str(probe.run("MOF-WAS-02", f"{size}; sleep 0.3; {size}").stdout).split()
        sizes.append(int(after))
        return before == after

    assert wait_until(settled)
    # Without a volume of its own the log is bounded.
    assert sizes[-1] < 9_000_000
