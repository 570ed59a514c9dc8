"""Changes of every family that have no file of their own on a machine: run, verified and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest
from machine_tools import MachineTools, grant_rights, machine_host
from machines_env import Machine

from guardia.errors import CommandFailed
from guardia.org.directory import Service
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.machines, pytest.mark.slow]

APP = PurePosixPath("/srv/minwon-app")
SITE = "/etc/nginx/conf.d/pair.conf"
PAIR = """upstream pair {
    # server 127.0.0.1:1; an old one
    server 127.0.0.1:9001 max_fails=2;
    server 127.0.0.1:9002;
}
"""
CONTROL = f"""#!/bin/sh
[ "$1" = reload ] && cat {APP}/conf/log_level >> {APP}/reloads
exit 0
"""
BALANCER = """#!/bin/sh
case $1 in
  drain) echo out > /srv/balancer ;;
  restore) echo in > /srv/balancer ;;
  status) cat /srv/balancer ;;
esac
"""
TOOLS = ("deploy.drain", "deploy.undrain", "deploy.take_out")


class _Key:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def get(self, _name: str) -> str:
        return self._machine.key.read_text()


@pytest.fixture
def tools(machine: Machine) -> Iterator[MachineTools]:
    """A service with its own script and logs on a volume, behind a balancer and an nginx."""
    lines = "for n in $(seq 20000); do echo line $n; done"
    machine.must(
        f"mkdir -p {APP}/conf {APP}/logs {APP}/archive && mount -t tmpfs -o size=8m none {APP}/logs"
        f" && echo INFO > {APP}/conf/log_level && ({lines}) > {APP}/logs/app.log"
        f" && echo in > /srv/balancer"
    )
    write(machine, f"{APP}/ctl", CONTROL)
    write(machine, "/usr/local/bin/balancer", BALANCER)
    write(machine, SITE, PAIR)
    machine.must(f"chmod 755 {APP}/ctl /usr/local/bin/balancer; chown -R {machine.account} {APP}")
    place = f"upstream:web:{SITE}:pair"
    host = machine_host(
        machine,
        Service(
            name="web", kind="http", product="nginx", unit="nginx.service",
            address=machine.address, port=machine.ports["http"], health="/health",
            config="/etc/nginx/nginx.conf", balancer_files=(SITE,),
        ),
        Service(
            name="app", kind="http", control=f"{APP}/ctl", root=str(APP), logs=f"{APP}/logs",
            drain="/usr/local/bin/balancer",
        ),
        Service(name="one", kind="http", drain=f"{place}:127.0.0.1:9001"),
        Service(name="two", kind="http", drain=f"{place}:127.0.0.1:9002"),
        Service(name="gone", kind="http", drain=f"{place}:127.0.0.1:1"),
    )  # fmt: skip
    grant_rights(machine, host, *TOOLS)
    with Connections(_Key(machine)) as connections:
        yield MachineTools(machine, host, connections)
    machine.must(
        f"umount -l {APP}/logs; rm -rf {APP} {SITE} /etc/nginx/conf.d/.pair* /etc/sudoers.d/tools"
        " /usr/local/bin/balancer /srv/balancer; systemctl reload nginx"
    )


def write(machine: Machine, path: str, text: str) -> None:
    """Write a file as root."""
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("'", "'\\''")
    machine.must(f"printf '{escaped}' > {path}")


def test_a_log_is_archived_and_restored(tools: MachineTools) -> None:
    before = tools.machine.must(f"sha256sum {APP}/logs/app.log")
    (found,) = tools.read("disk.largest", service="app")["files"]
    action = tools.change("disk.archive", service="app", name=found["name"], id=found["id"])
    assert int(tools.machine.must(f"stat -c %b {APP}/logs/app.log")) < 16
    tools.undo(action)
    assert tools.machine.must(f"sha256sum {APP}/logs/app.log") == before


def test_a_log_level_is_changed_and_back(tools: MachineTools) -> None:
    action = tools.change("service.set_log_level", service="app", level="DEBUG", previous="INFO")
    tools.undo(action)
    assert tools.machine.must(f"cat {APP}/reloads").split() == ["DEBUG", "INFO"]


def test_a_service_is_taken_out_by_the_script_of_its_balancer(tools: MachineTools) -> None:
    action = tools.change("deploy.drain", service="app")
    assert tools.machine.must("cat /srv/balancer").strip() == "out"
    tools.undo(action)
    tools.change("deploy.undrain", service="app")
    assert tools.machine.must("cat /srv/balancer").strip() == "in"


class TestUpstream:
    def test_a_server_is_taken_out_of_its_upstream_and_put_back(self, tools: MachineTools) -> None:
        workers = "ps -o pid= --ppid $(systemctl show -p MainPID --value nginx)"
        before = tools.machine.must(workers)
        action = tools.change("deploy.drain", service="one")
        pair = tools.machine.must(f"cat {SITE}")
        assert "server 127.0.0.1:9001 max_fails=2 down;" in pair
        assert tools.machine.must(workers) != before  # it was reloaded
        tools.undo(action)
        assert tools.machine.must(f"cat {SITE}") == PAIR

    def test_the_last_server_in_use_stays(self, tools: MachineTools) -> None:
        tools.change("deploy.drain", service="one")
        with pytest.raises(CommandFailed, match="no other server"):
            tools.change("deploy.drain", service="two")
        assert "9002;" in tools.machine.must(f"cat {SITE}")

    def test_what_the_test_of_nginx_refuses_is_put_back(self, tools: MachineTools) -> None:
        tools.machine.must(f"echo 'no_such_directive on;' >> {SITE}")
        before = tools.machine.must(f"cat {SITE}")
        with pytest.raises(CommandFailed, match="old one was put back"):
            tools.change("deploy.drain", service="one")
        assert tools.machine.must(f"cat {SITE}") == before

    def test_a_server_that_is_not_there_is_no_guess(self, tools: MachineTools) -> None:
        with pytest.raises(CommandFailed, match="0 times"):
            tools.read("deploy.traffic", service="gone")

    def test_a_server_elsewhere_is_taken_out_where_its_balancer_is(
        self, tools: MachineTools
    ) -> None:
        place = {"service": "web", "file": SITE, "upstream": "pair", "address": "127.0.0.1:9002"}
        action = tools.change("deploy.take_out", **place)
        assert "server 127.0.0.1:9002 down;" in tools.machine.must(f"cat {SITE}")
        tools.undo(action)
        assert tools.machine.must(f"cat {SITE}") == PAIR
        tools.change("deploy.take_out", **place)
        tools.undo(tools.change("deploy.put_back", **place))
        assert tools.read("deploy.upstream", **place)["balanced"] is False
