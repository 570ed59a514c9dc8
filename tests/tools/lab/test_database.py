"""Database servers of the fleet: reachable by their account, steady load, minimal privileges."""

from __future__ import annotations

import pytest
from ssh_probe import SshProbe
from waiting import wait_until

from guardia.tools.lab.running_fleet import RunningFleet


def ask(probe: SshProbe, server: str, service: str, text: str) -> str:
    done = probe.run(server, f'psql -XAt service={service} -c "{text}"')
    assert done.exit_status == 0, done.stderr
    return str(done.stdout).strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "service", "workers"), [("MOF-DB-01", "budgetdb", 5), ("MOE-DB-01", "edudb", 2)]
)
def test_the_workload_runs(probe: SshProbe, server: str, service: str, workers: int) -> None:
    sessions = "select count(*) from pg_stat_activity where application_name ~ '-was-[0-9]'"
    assert wait_until(lambda: int(ask(probe, server, service, sessions)) == workers)
    done = f"select xact_commit from pg_stat_database where datname = '{service}'"
    before = int(ask(probe, server, service, done))
    assert wait_until(lambda: int(ask(probe, server, service, done)) > before + workers)


def test_the_account_may_only_see_and_terminate_sessions(probe: SshProbe) -> None:
    powers = (
        "select rolsuper, pg_has_role(rolname, 'pg_monitor', 'usage'),"
        " pg_has_role(rolname, 'pg_signal_backend', 'usage') from pg_roles"
        " where rolname = current_user"
    )
    assert ask(probe, "MOF-DB-01", "budgetdb", powers) == "f|t|t"
    tried = probe.run("MOF-DB-01", 'psql -XAt service=budgetdb -c "select * from account"')
    assert "permission denied" in str(tried.stderr)


def test_psql_needs_no_password_on_the_command_line(probe: SshProbe, fleet: RunningFleet) -> None:
    modes = probe.run("MOF-DB-01", "stat -c %a ~/.pgpass ~/.pg_service.conf")
    assert modes.stdout == "600\n600\n"
    refused = probe.run("MOF-DB-01", "psql -w 'service=budgetdb passfile=/dev/null' -c 'select 1'")
    assert refused.exit_status == 2


@pytest.mark.slow
def test_a_worker_reconnects_after_its_session_is_terminated(probe: SshProbe) -> None:
    one = "select pid from pg_stat_activity where application_name = 'edu-was-1'"
    assert wait_until(lambda: ask(probe, "MOE-DB-01", "edudb", one) != "")
    pid = ask(probe, "MOE-DB-01", "edudb", one)
    assert ask(probe, "MOE-DB-01", "edudb", f"select pg_terminate_backend({pid})") == "t"
    assert wait_until(lambda: ask(probe, "MOE-DB-01", "edudb", one) not in ("", pid))


@pytest.mark.slow
def test_long_waits_are_logged(practice: RunningFleet, probe: SshProbe) -> None:
    practice.fault("lock-chain")
    logs = practice.inventory.host("MOF-DB-01").services[0].logs
    line = f"grep -c 'still waiting for' {logs}/postgresql.log"
    assert wait_until(lambda: int(str(probe.run("MOF-DB-01", line).stdout)) > 0)
