"""Every layout on a whole Debian machine, with exactly the rights that the tools declare."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Contents, Deployer, archive
from machine_tools import rights_of_tool

from guardia.board.core.plan import Action
from guardia.org.directory import Facts, Host, Service
from guardia.tools import catalog
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.machines

SERVICES = (
    {"name": "portal", "product": "tomcat", "unit": "tomcat10.service", "health": "/portal/",
     "root": "/var/lib/tomcat10", "layout": "webapps"},
    {"name": "site", "product": "nginx", "unit": "nginx.service", "health": "/health",
     "root": "/var/www/html", "layout": "static"},
    {"name": "app", "product": "nginx", "unit": "nginx.service", "health": "/health",
     "root": "/srv/app", "layout": "releases"},
)  # fmt: skip


@pytest.fixture
def on(machine: Any) -> Iterator[Deployer]:
    """Enrol the machine with sudo for exactly what the tools declare."""
    ports = {"tomcat": machine.ports["was"], "nginx": machine.ports["http"]}
    services = tuple(
        Service(kind="http", address=machine.address, port=ports[facts["product"]], **facts)
        for facts in SERVICES
    )
    host = Host(
        server_id="WEB-1",
        institution="T",
        kind="WEB",
        address=machine.address,
        port=machine.ssh_port,
        account=machine.account,
        host_key=machine.host_key,
        credential="key",
        facts=Facts(os="debian", init="systemd", programs=("/usr/bin/systemctl",)),
        services=(*services, Service(name="agent-link", kind="system", layout="package")),
    )
    machine.must(
        "mkdir -p /srv/app/releases/1.0 && ln -sfn releases/1.0 /srv/app/current"
        f" && chown -R {machine.account} /srv/app"
    )
    permit(machine, host)

    class Keys:
        def get(self, _name: str) -> str:
            return str(machine.key.read_text())

    contents = Contents()
    with Connections(Keys(), contents=contents) as connections:
        yield Deployer(host, connections, contents)
    machine.must("rm -f /etc/sudoers.d/deploy")


def permit(machine: Any, host: Host) -> None:
    """Write the sudoers lines of all deployment tools that the host's services admit."""
    tools = [tool for name, tool in catalog.CATALOG.items() if name.startswith("deploy.")]
    rights = {
        " ".join(word.replace("=", "\\=") for word in right)
        for tool in tools
        for service in host.services
        for right in rights_of_tool(tool, host, service)
    }
    line = f"{machine.account} ALL=(root) NOPASSWD: {', '.join(sorted(rights))}"
    machine.must(
        f"printf '%s\\n' '{line}' > /etc/sudoers.d/deploy && visudo -cf /etc/sudoers.d/deploy"
    )


def carry_out(on: Deployer, tool: str, **args: Any) -> Action:
    action = on.plan(tool, **args)
    assert on.holds(action.precheck), action
    on.run(action.call)
    assert on.holds(action.verify), action
    return action


def undo(on: Deployer, action: Action) -> None:
    on.run(action.undo)
    assert on.holds(action.undo_verify), action


def war(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("index.html", text)
    return packed.getvalue()


def deb(folder: Path, version: str) -> bytes:
    control = folder / version / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: agent-link\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: t <t@t.example>\nDescription: t\n"
    )
    built = ["dpkg-deb", "--build", "-Zgzip", folder / version, folder / f"{version}.deb"]
    subprocess.run(built, check=True, capture_output=True)
    return (folder / f"{version}.deb").read_bytes()


@pytest.mark.slow
def test_a_war_is_deployed_replaced_and_restored(on: Deployer, machine: Any) -> None:
    one, two = on.contents.add(war("one")), on.contents.add(war("two"))
    named = {"service": "portal", "file": "portal.war"}
    first = carry_out(on, "deploy.war", **named, previous="", **one)
    second = carry_out(on, "deploy.war", **named, previous=one["sha256"], **two)
    page = "curl -s http://{}:{}/portal/".format(machine.address, machine.ports["was"])
    assert machine.must(page).strip() == "two"
    undo(on, second)
    assert machine.must(page).strip() == "one"
    undo(on, first)


@pytest.mark.slow
def test_a_site_and_a_release_are_switched_and_back(on: Deployer, machine: Any) -> None:
    site = on.contents.add(archive({"index.html": b"new site"}))
    action = carry_out(on, "deploy.site", service="site", previous="", **site)
    page = "curl -s http://{}:{}/".format(machine.address, machine.ports["http"])
    assert machine.must(page).strip() == "new site"
    undo(on, action)
    assert machine.must(page).strip() != "new site"
    release = on.contents.add(archive({"x": b"1"}))
    staged = carry_out(on, "deploy.stage", service="app", version="2.0", **release)
    active = carry_out(on, "deploy.activate", service="app", version="2.0", previous="1.0")
    undo(on, active)
    undo(on, staged)


@pytest.mark.slow
def test_a_package_is_installed_upgraded_and_removed(on: Deployer, tmp_path: Path) -> None:
    old, new = on.contents.add(deb(tmp_path, "1.0-1")), on.contents.add(deb(tmp_path, "1.1-1"))
    named = {"service": "agent-link", "package": "agent-link"}
    first = carry_out(on, "deploy.package", **named, version="1.0-1", **old)
    back = {"previous_version": "1.0-1", "previous_sha256": old["sha256"]}
    back["previous_size"] = old["size"]
    second = carry_out(on, "deploy.package", **named, version="1.1-1", **back, **new)
    undo(on, second)
    undo(on, first)
