"""The services of the fleet, through their control scripts and their ports."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from ssh_probe import SshProbe
from waiting import PATIENCE, wait_until

from guardia.org.directory import Service
from guardia.tools.lab.running_fleet import RunningFleet


def service_of(fleet: RunningFleet, server: str) -> Service:
    return fleet.inventory.host(server).services[0]


def get(service: Service, path: str, scheme: str = "http") -> tuple[int, bytes]:
    trusting = ssl._create_unverified_context() if scheme == "https" else None
    url = f"{scheme}://127.0.0.1:{service.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE, context=trusting) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def control(probe: SshProbe, server: str, word: str) -> tuple[int | None, str]:
    done = probe.run(server, f"{service_of(probe.fleet, server).control} {word}")
    return done.exit_status, str(done.stdout)


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


def test_a_client_that_says_nothing_stops_nobody(fleet: RunningFleet) -> None:
    import socket

    for server, scheme in (("MOF-WAS-01", "http"), ("MOE-WEB-01", "https")):
        service = service_of(fleet, server)
        with socket.create_connection(("127.0.0.1", service.port or 0)):
            assert get(service, "/health", scheme)[0] == 200


def test_the_control_script_knows_the_state(practice: RunningFleet, probe: SshProbe) -> None:
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


def test_a_service_started_by_hand_is_the_servers_own(
    practice: RunningFleet, probe: SshProbe
) -> None:
    """It outlives the session, is no leftover command, and inherits nothing of the session."""
    control(probe, "MOF-WAS-02", "restart")
    entry = next(e for e in practice.status()["servers"] if e["server"] == "MOF-WAS-02")
    assert (entry["state"], entry["commands"]) == ("up", [])
    root = service_of(practice, "MOF-WAS-02").root
    names = probe.run(
        "MOF-WAS-02", f"tr '\\0' '\\n' </proc/$(cat {root}/run/budget.pid)/environ | cut -d= -f1"
    )
    assert set(str(names.stdout).split()) == {"PATH", "LANG", "HOME"}


def test_a_pid_of_somebody_else_is_not_the_service(practice: RunningFleet, probe: SshProbe) -> None:
    root = service_of(practice, "MOF-WAS-02").root
    control(probe, "MOF-WAS-02", "stop")
    probe.run("MOF-WAS-02", f"echo 1 > {root}/run/budget.pid")
    assert control(probe, "MOF-WAS-02", "status") == (3, "budget: not running\n")
    assert control(probe, "MOF-WAS-02", "stop") == (0, "budget: not running\n")


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


def test_the_auth_log_holds_refused_logins(fleet: RunningFleet, probe: SshProbe) -> None:
    service = service_of(fleet, "MOIS-SEC-01")
    lines = str(probe.run("MOIS-SEC-01", f"cat {service.logs}/auth.log").stdout).splitlines()
    assert len(lines) >= 300
    refused = [line for line in lines if "Failed password for invalid user" in line]
    assert 10 < len(refused) < len(lines) / 2
    assert control(probe, "MOIS-SEC-01", "status")[0] == 0
