"""Every fault is real, its oracle sees it, and it can be put right."""

from __future__ import annotations

import os

import pytest
from ssh_probe import SshProbe
from waiting import wait_until

from guardia.errors import NotFound, Refused
from guardia.tools.lab.running_fleet import RunningFleet


def available(fleet: RunningFleet, name: str) -> None:
    if name == "full-volume" and not fleet.inventory.volumes:
        pytest.skip("the kernel lends no volume here")


@pytest.mark.parametrize("name", ["lock-chain", "hung-was", "full-volume"])
def test_a_fault_comes_and_goes(practice: RunningFleet, name: str) -> None:
    available(practice, name)
    assert practice.is_healthy(name)
    assert not practice.fault(name).good
    assert not practice.is_healthy(name)
    practice.heal(name)
    assert practice.is_healthy(name)


def test_a_lock_chain_has_several_levels(practice: RunningFleet, probe: SshProbe) -> None:
    practice.fault("lock-chain")
    levels = (
        "with recursive chain as ("
        " select pid, 1 as level from pg_stat_activity where state = 'idle in transaction'"
        " union all select a.pid, c.level + 1 from chain c"
        " join pg_stat_activity a on c.pid = any(pg_blocking_pids(a.pid)))"
        " select max(level) from chain"
    )
    done = probe.run("MOF-DB-01", f'psql -XAt service=budgetdb -c "{levels}"')
    assert int(str(done.stdout)) >= 3, done.stderr


def test_ending_the_root_session_frees_the_chain(practice: RunningFleet, probe: SshProbe) -> None:
    practice.fault("lock-chain")
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where state = 'idle in transaction' and application_name = 'budget-closing-batch'"
    )
    done = probe.run("MOF-DB-01", f'psql -XAt service=budgetdb -c "{end}"')
    assert done.stdout == "t\n", done.stderr
    assert wait_until(lambda: practice.is_healthy("lock-chain"))


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


def test_a_full_volume_is_one_and_stays_full_until_the_flood_ends(
    practice: RunningFleet, probe: SshProbe
) -> None:
    available(practice, "full-volume")
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


def test_the_volume_is_only_there_for_its_server(fleet: RunningFleet, probe: SshProbe) -> None:
    available(fleet, "full-volume")
    logs = fleet.inventory.host("MOIS-WAS-01").services[0].logs
    assert logs
    inside = probe.run("MOIS-WAS-01", f"stat -f -c %T {logs}; ls {logs}")
    assert str(inside.stdout).startswith("tmpfs\n")
    assert "app.log" in str(inside.stdout)
    assert os.listdir(logs) == []
    assert probe.run("MOF-WAS-01", f"ls {logs}").stdout == ""


def test_a_failed_deploy_is_seen_and_put_right(practice: RunningFleet, probe: SshProbe) -> None:
    service = practice.inventory.host("MOF-WAS-02").services[0]
    with pytest.raises(Refused, match=r"3\.1\.1"):
        practice.fault("failing-deploy")
    switch = f"ln -sfn releases/3.1.1 {service.root}/current; {service.control} restart"
    assert probe.run("MOF-WAS-02", switch).exit_status == 0
    finding = practice.oracle("failing-deploy")
    assert (finding.good, finding.evidence["status"]) == (False, 500)
    assert finding.evidence["version"] == "3.1.1"
    practice.heal("failing-deploy")
    assert practice.oracle("failing-deploy").evidence["version"] == "3.1.0"


def test_an_unknown_fault_is_named(fleet: RunningFleet) -> None:
    for ask in (fleet.fault, fleet.heal, fleet.oracle):
        with pytest.raises(NotFound, match="no-such-fault"):
            ask("no-such-fault")
