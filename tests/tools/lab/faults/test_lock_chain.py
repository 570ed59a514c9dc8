"""The lock chain has several levels, and ending its root session frees it."""

from __future__ import annotations

import pytest
from ssh_probe import SshProbe
from waiting import wait_until

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.mark.slow
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


@pytest.mark.slow
def test_ending_the_root_session_frees_the_chain(practice: RunningFleet, probe: SshProbe) -> None:
    practice.fault("lock-chain")
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where state = 'idle in transaction' and application_name = 'budget-closing-batch'"
    )
    done = probe.run("MOF-DB-01", f'psql -XAt service=budgetdb -c "{end}"')
    assert done.stdout == "t\n", done.stderr
    assert wait_until(lambda: practice.is_healthy("lock-chain"))
