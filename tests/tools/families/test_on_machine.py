"""The tools of real platforms on a real machine: run, verified and undone, with least rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machine_tools import MachineTools, grant_rights, machine_host
from machines_env import Machine

from guardia.errors import CommandFailed
from guardia.org.directory import Service
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.machines, pytest.mark.slow]

NGINX = "/etc/nginx/nginx.conf"
SSHD = "/etc/ssh/sshd_config"
FLAPPING = """[Unit]
StartLimitIntervalSec=600
StartLimitBurst=3
[Service]
ExecStart=/bin/false
Restart=on-failure
RestartSec=0
"""
TOOLS = (
    *(f"service.{verb}" for verb in ("unit", "start", "stop", "restart", "restart_unit", "reload")),
    *("service.reset_failed", "service.enable", "service.disable", "jvm.threads", "tomcat.startup"),
    *("web.config_test", "web.sites", "web.reload", "logs.search", "logs.patterns"),
    *("config.read", "config.set"),
)


class _Key:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def get(self, _name: str) -> str:
        return self._machine.key.read_text()


@pytest.fixture
def tools(machine: Machine) -> Iterator[MachineTools]:
    """The tools of this family on a machine with nginx, Tomcat, cron and sshd."""
    where = {"address": machine.address}
    host = machine_host(
        machine,
        Service.model_validate(
            {"name": "web", "kind": "http", "product": "nginx", "unit": "nginx.service",
             "port": machine.ports["http"], "health": "/health", "config": NGINX,
             "log_files": ["/var/log/nginx/error.log"]} | where
        ),
        Service.model_validate(
            {"name": "minwon", "kind": "http", "product": "tomcat", "unit": "tomcat10.service",
             "port": machine.ports["was"], "health": "/minwon/health", "root": "/var/lib/tomcat10",
             "journal": True} | where
        ),
        Service(name="cron", kind="system", unit="cron.service"),
        Service(name="flap", kind="system", unit="flap.service"),
        Service(name="ssh", kind="system", product="openssh", unit="ssh.service", config=SSHD),
    )  # fmt: skip
    grant_rights(machine, host, *TOOLS)
    with Connections(_Key(machine)) as connections:
        yield MachineTools(machine, host, connections)
    machine.must("rm -f /etc/sudoers.d/tools")


class TestUnits:
    def test_a_unit_is_stopped_and_started(self, tools: MachineTools) -> None:
        stopped = tools.change("service.stop", service="cron")
        assert tools.read("service.processes", service="cron")["running"] is False
        tools.undo(stopped)
        started = tools.read("service.unit", service="cron")
        assert (started["state"], started["log_readable"]) == ("active/running", True)

    def test_a_unit_starts_with_the_system_or_not(self, tools: MachineTools) -> None:
        tools.undo(tools.change("service.disable", service="cron"))
        assert tools.read("service.unit", service="cron")["enabled"] is True

    def test_units_are_restarted_and_reloaded(self, tools: MachineTools) -> None:
        before = tools.read("service.unit", service="cron")["main_pid"]
        tools.change("service.restart_unit", service="cron")
        assert tools.read("service.unit", service="cron")["main_pid"] != before
        tools.change("service.reload", service="web")

    def test_a_start_limit_is_recognized_respected_and_cleared(self, tools: MachineTools) -> None:
        text = FLAPPING.replace("\n", "\\n")
        tools.machine.must(
            f"printf '{text}' > /etc/systemd/system/flap.service; systemctl daemon-reload; "
            "systemctl start flap; for n in $(seq 50); do "
            "systemctl is-failed -q flap && break; sleep 0.1; done; systemctl is-failed flap"
        )
        try:
            found = tools.read("service.unit", service="flap")
            assert (found["start_limit_hit"], found["may_start"], found["restarts"]) == (
                True,
                False,
                3,
            )
            with pytest.raises(AssertionError, match="may_start"):
                tools.change("service.start", service="flap")
            tools.change("service.reset_failed", service="flap")
            assert tools.read("service.unit", service="flap")["may_start"] is True
        finally:
            tools.machine.must("rm /etc/systemd/system/flap.service; systemctl daemon-reload")

    def test_a_hung_tomcat_is_restarted(self, tools: MachineTools) -> None:
        tools.machine.must("kill -STOP $(systemctl show -p MainPID --value tomcat10)")
        assert tools.read("service.health", service="minwon")["answered"] is False
        states = tools.read("service.processes", service="minwon")["processes"]
        assert [one["state"] for one in states] == ["T"]
        tools.change("service.restart", service="minwon")


class TestWeb:
    def test_a_broken_configuration_is_found_and_not_applied(self, tools: MachineTools) -> None:
        tools.machine.must(f"cp {NGINX} /root/nginx.conf; sed -i 's/gzip on/gzzip on/' {NGINX}")
        try:
            found = tools.read("web.config_test", service="web")
            (problem,) = [p for p in found["problems"] if p["level"] == "error"]
            assert (found["valid"], problem["file"]) == (False, NGINX)
            assert problem["line"] > 1 and "gzzip" in problem["message"]
            with pytest.raises(CommandFailed, match="gzzip"):
                tools.run(tools.propose("web.reload", service="web").call)
        finally:
            tools.machine.must(f"cp /root/nginx.conf {NGINX}")
        tools.change("web.reload", service="web")

    def test_its_sites_and_upstreams(self, tools: MachineTools) -> None:
        found = tools.read("web.sites", service="web")
        assert any(site["tls"] and site["certificate"] for site in found["sites"])
        assert [upstream["name"] for upstream in found["upstreams"]] == ["minwon"]


class TestConfiguration:
    def test_a_value_is_changed_and_changed_back(self, tools: MachineTools) -> None:
        before = tools.machine.must(f"sha256sum < {NGINX}; stat -c '%a %U' {NGINX}")
        (now,) = tools.read(
            "config.value", service="web", file=NGINX, key="worker_connections", style="semicolon"
        )["values"]
        done = tools.change(
            "config.set", service="web", file=NGINX, key="worker_connections",
            style="semicolon", previous=now, value="1025",
        )  # fmt: skip
        assert "worker_connections 1025;" in tools.machine.must(f"cat {NGINX}")
        assert f"-worker_connections {now};" in done.difference
        tools.undo(done)
        assert tools.machine.must(f"sha256sum < {NGINX}; stat -c '%a %U' {NGINX}") == before

    def test_what_the_test_refuses_is_put_back(self, tools: MachineTools) -> None:
        before = tools.machine.must(f"sha256sum < {NGINX}")
        with pytest.raises(CommandFailed, match="the old one was put back"):
            tools.change(
                "config.set", service="web", file=NGINX, key="worker_connections",
                style="semicolon", previous="768", value="abc",
            )  # fmt: skip
        assert tools.machine.must(f"sha256sum < {NGINX}") == before

    def test_a_file_is_replaced_and_restored(self, tools: MachineTools) -> None:
        before = tools.machine.must(f"sha256sum < {NGINX}")
        text = tools.read("config.read", service="web", file=NGINX)["text"]
        changed = text.replace("sendfile on;", "sendfile off;\n\tserver_tokens off;")
        done = tools.change(
            "config.replace", service="web", file=NGINX, previous=text, text=changed
        )
        assert "+\tserver_tokens off;" in done.difference
        tools.undo(done)
        assert tools.machine.must(f"sha256sum < {NGINX}") == before

    def test_a_secret_stays_on_the_server(self, tools: MachineTools) -> None:
        tools.machine.must(f"cp {NGINX} /root/n; sed -i '1i # password = hunter2' {NGINX}")
        try:
            text = tools.read("config.read", service="web", file=NGINX)["text"]
            assert "hunter2" not in text and "password = ***" in text
            changed = text.replace("sendfile on;", "sendfile off;")
            done = tools.change(
                "config.replace", service="web", file=NGINX, previous=text, text=changed
            )
            assert "hunter2" not in done.command
            assert "# password = hunter2" in tools.machine.must(f"cat {NGINX}")
        finally:
            tools.machine.must(f"cp /root/n {NGINX}")

    def test_no_link_leads_out_and_no_key_is_read(self, tools: MachineTools) -> None:
        tools.machine.must("ln -s /etc/passwd /etc/nginx/evil.conf")
        try:
            with pytest.raises(CommandFailed, match="leads out"):
                tools.read("config.read", service="web", file="/etc/nginx/evil.conf")
        finally:
            tools.machine.must("rm /etc/nginx/evil.conf")
        with pytest.raises(CommandFailed, match=r"private key|cannot be read"):
            tools.read("config.read", service="web", file="/etc/nginx/tls/site.key")


class TestJava:
    def test_threads_and_heap_without_a_development_kit(self, tools: MachineTools) -> None:
        threads = tools.read("jvm.threads", service="minwon")
        assert threads["threads"] > 5 and threads["deadlocked"] == []
        heap = tools.read("jvm.heap", service="minwon")
        assert heap["max_kb"] == 131_072 and 0 < heap["used_kb"] <= heap["committed_kb"]

    def test_its_applications_and_its_last_start(self, tools: MachineTools) -> None:
        found = tools.read("tomcat.applications", service="minwon")["applications"]
        assert "minwon" in {one["name"] for one in found}
        assert tools.read("tomcat.startup", service="minwon")["started"]


def test_logs_of_the_journal_and_of_files(tools: MachineTools) -> None:
    found = tools.read("logs.search", service="minwon", text="Catalina", minutes=600)
    assert found["count"] > 0 and found["unreadable"] == []
    patterns = tools.read("logs.patterns", service="minwon", minutes=600)
    assert patterns["lines"] > 0 and patterns["templates"]
    tools.read("logs.search", service="web", text="nginx")


def test_a_machine_without_systemd_by_its_scripts(old_machine: Machine) -> None:
    """Another make: sysvinit, Apache with a file of its own, Tomcat of another account."""
    where = {"kind": "http", "address": old_machine.address}
    host = machine_host(
        old_machine,
        Service.model_validate(
            {"name": "web", "product": "apache", "control": "/etc/init.d/webd", "root": "/app/web",
             "port": old_machine.ports["http"], "config": "/app/web/conf/httpd.conf"} | where
        ),
        Service.model_validate(
            {"name": "minwon", "product": "tomcat", "control": "/etc/init.d/wasd",
             "port": old_machine.ports["was"], "health": "/minwon/health", "root": "/app/was"}
            | where
        ),
    )  # fmt: skip
    facts = {"init": "init", "programs": ("/usr/sbin/apache2ctl",)}
    host = host.model_copy(update={"facts": host.facts.model_copy(update=facts)})
    grant_rights(old_machine, host, "service.restart", "web.config_test", "web.reload")
    try:
        with Connections(_Key(old_machine)) as connections:
            tools = MachineTools(old_machine, host, connections)
            (before,) = tools.read("service.processes", service="minwon")["processes"]
            old_machine.must(f"kill -STOP {before['pid']}")
            tools.change("service.restart", service="minwon")
            (after,) = tools.read("service.processes", service="minwon")["processes"]
            assert after["pid"] != before["pid"]
            tools.change("web.reload", service="web")
    finally:
        old_machine.must("rm -f /etc/sudoers.d/tools")
