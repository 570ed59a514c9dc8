"""Three workers under load: one is killed, one paused, one stopped, and PostgreSQL crashes.

Assertions are about counts on the servers and on the board, never about times. The long form, with
a random schedule of such events and a report, is `benchmarks/chaos.py`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos_env import ChaosRun, open_chaos_run
from chaos_workers import WorkerProcess

from guardia.db.embedded import FAST_SETTINGS, Cluster
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = pytest.mark.slow

ISSUES = 8


@pytest.fixture
def under_load(home: Path, fleet: RunningFleet) -> Iterator[ChaosRun]:
    """A PostgreSQL of its own, since this one crashes."""
    folder = home / "chaos"
    folder.mkdir(mode=0o711)
    # A crash must lose nothing that was committed: neither a dead worker's removal nor an intent.
    with Cluster(folder / "pg", settings={**FAST_SETTINGS, "synchronous_commit": "on"}) as cluster:
        cluster.create_roles()
        (folder / "home").mkdir()
        with open_chaos_run(cluster, fleet, folder / "home", ISSUES) as made:
            yield made


def busiest(made: ChaosRun, *workers: WorkerProcess) -> WorkerProcess:
    """Return the worker with the most open beats; waits until one of them has any."""
    made.until(lambda: any(made.at_work(w) for w in workers), "no worker has a beat")
    return max(workers, key=lambda w: len(made.at_work(w)))


def test_each_change_happens_once_despite_crashing_workers_and_database(
    under_load: ChaosRun,
) -> None:
    made = under_load
    workers = [made.worker() for _ in range(3)]
    made.until(lambda: made.done() >= 1, "no change")

    killed = busiest(made, *workers)
    made.signal_worker(killed, signal.SIGKILL)
    paused = busiest(made, *(w for w in workers if w is not killed))
    made.signal_worker(paused, signal.SIGSTOP)
    (left,) = (w for w in workers if w not in (killed, paused))
    made.until(made.losses_are_closed, "not taken over")
    # Also if it had just released its last task when it was paused.
    present = "select from procrastinate_workers where id = any(%s)"
    made.until(lambda: not made.rows(present, sorted(paused.numbers)), "still registered")

    made.worker()  # starts while there is no database
    made.restart_database(immediate=True, down=2.0)
    paused.signal(signal.SIGCONT)
    made.until(lambda: len(paused.numbers) > 1, "the paused worker did not re-register")
    assert left.stop() == 0

    made.until(made.settled, "unfinished")
    effect_counts = made.effect_counts()
    assert effect_counts["twice"] == effect_counts["lost"] == 0, effect_counts
    assert effect_counts["once"] >= ISSUES - len(made.losses), effect_counts
    assert sum(effect_counts.values()) == ISSUES
    assert made.open_runs() == 0
    assert made.audit_log_is_intact()
    assert not [
        found for name in made.carrier_hosts for found in made.fleet.commands(name.server_id)
    ]
    assert [w.stop() for w in (paused, made.workers[-1])] == [0, 0]
