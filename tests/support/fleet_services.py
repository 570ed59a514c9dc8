"""Services of the practice fleet: address, HTTP requests, verbs of their control script."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

from ssh_probe import SshProbe
from waiting import PATIENCE

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
