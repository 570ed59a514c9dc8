"""Taking a service out of its load balancer, watching it, and planning a change around both."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Deployer

from guardia.board.core.plan import ToolCall
from guardia.errors import CommandFailed, Refused
from guardia.org.directory import Host, Service
from guardia.tools.deployment import Content, Deployment, HealthGate, plan_server

pytestmark = pytest.mark.ssh
Deploy = Callable[..., Deployer]

SCRIPT = """#!/bin/sh
state="$0.state"
case $1 in
  drain) echo out > "$state" ;;
  restore) echo in > "$state" ;;
  status) cat "$state" ;;
esac
"""
CONTENT = Content("app", "2.0-1", "app.deb", "a" * 64, 1000)


def test_a_service_is_drained_and_put_back(deployer: Deploy, tmp_path: Path) -> None:
    script = tmp_path / "balance"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    subprocess.run([script, "restore"], check=True)
    on = deployer(Service(name="app", kind="http", drain=str(script)))
    action = on.plan("deploy.drain", service="app")
    assert on.holds(action.precheck)
    on.run(action.call)
    assert on.holds(action.verify)
    on.run(action.undo)
    assert on.holds(action.undo_verify)


@pytest.mark.slow
def test_a_service_is_watched(deployer: Deploy, budget: Any) -> None:
    on, shortly = deployer(budget.service()), {"service": "budget", "seconds": 1}
    found = on.ask("deploy.watch", **shortly)
    assert found["requests"] > 0 and found["failed"] == 0
    found = on.ask("deploy.watch", **shortly, body="nowhere in it")
    assert found["failed_percent"] == 100
    budget.stop()
    found = on.ask("deploy.watch", **shortly)
    assert found["failed_percent"] == 100


def reads(**found: Any) -> Callable[[ToolCall], dict[str, Any]]:
    return lambda call: found[call.tool.removeprefix("deploy.")]


def plan(service: Service, read: Any, find: Any = lambda _n, _v: None) -> Any:
    host = Host(server_id="W-1", institution="T", kind="WAS", services=(service,))
    gate = HealthGate(5, 1, 800, "ok")
    return plan_server(host, Deployment(CONTENT, "app", find, "app.war", gate=gate), read)


def test_each_layout_has_its_plan_with_drain_and_gate() -> None:
    common: dict[str, Any] = {"name": "app", "kind": "http", "port": 80, "health": "/"}
    releases = Service(
        **common, layout="releases", root="/app", control="/app/ctl", drain="/opt/lb"
    )
    found = plan(releases, reads(current={"version": "1.0", "releases": []}))
    assert [a.call.tool for a in found.actions] == [
        "deploy.drain", "deploy.stage", "deploy.activate", "deploy.undrain"
    ]  # fmt: skip
    assert not found.irreversible
    *deployed, check = found.verify
    assert tuple(deployed) == found.actions[2].verify != ()
    assert check.call.args == {"service": "app", "seconds": 5, "body": "ok"}
    assert "failed_percent <= `1`" in check.expect and "p95_milliseconds <= `800`" in check.expect
    war = Service(**common, layout="webapps", root="/var/lib/tomcat10")
    found = plan(war, reads(war_state={"sha256": "b" * 64}))
    assert found.actions[0].call.args["previous"] == "b" * 64
    site = Service(**common, layout="static", root="/var/www/html")
    found = plan(site, reads(site_state={"sha256": ""}))
    assert [a.call.tool for a in found.actions] == ["deploy.site"]


def test_what_could_not_be_restored_or_is_there_already_is_refused() -> None:
    package = Service(name="app", kind="system", layout="package")
    known = Content("app", "1.0-1", "old.deb", "c" * 64, 900)
    found = plan(package, reads(package_state={"version": "1.0-1"}), lambda _n, _v: known)
    assert found.actions[0].undo.args["sha256"] == "c" * 64
    with pytest.raises(Refused, match="등록되어 있지 않아"):
        plan(package, reads(package_state={"version": "1.0-1"}))
    with pytest.raises(Refused, match="이미 이 버전"):
        plan(package, reads(package_state={"version": "2.0-1"}))
    with pytest.raises(Refused, match="layout"):
        plan(Service(name="app", kind="http"), reads())


def test_a_script_that_fails_is_a_finding(deployer: Deploy, tmp_path: Path) -> None:
    on = deployer(Service(name="app", kind="http", drain=str(tmp_path / "missing")))
    with pytest.raises(CommandFailed):
        on.ask("deploy.traffic", service="app")
