"""A rollout of five batches whose worker is killed (SIGKILL): it ends as its policy says.

Everything is the product's: `guardia worker`, tools, gate, SSH, SFTP. What was really done is read
on the servers, where each restart leaves a line.
"""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from chaos_env import ChaosRun, open_chaos_run
from chaos_targets import OLD
from deploy_env import archive
from waiting import wait_until

from guardia.board.artifacts import records
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.records import NewArtifact
from guardia.board.cmdb import view as cmdb
from guardia.board.rollouts import drafts, view
from guardia.board.rollouts.drafts import ServerPlan
from guardia.board.rollouts.policy import ENDS, Options, RolloutState
from guardia.db.embedded import FAST_SETTINGS, Cluster
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings
from guardia.tools.deployment import Content, Deployment, HealthGate, plan_server
from guardia.tools.gate import Gate
from guardia.tools.lab.running_fleet import RunningFleet
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.slow, pytest.mark.ssh]

FRESH = "2.0.0"
SERVERS = [f"MOF-WAS-{number}" for number in range(101, 106)]
Policy = Literal["continue", "rollback"]


@pytest.fixture
def made(home: Path, fleet: RunningFleet) -> Iterator[ChaosRun]:
    """A PostgreSQL that keeps what was committed, and five servers."""
    folder = Path(tempfile.mkdtemp(prefix="rollout-", dir=home))
    folder.chmod(0o711)
    with Cluster(folder / "pg", settings={**FAST_SETTINGS, "synchronous_commit": "on"}) as cluster:
        cluster.create_roles()
        data = folder / folder.name  # its name is also that of the targets' folders
        data.mkdir()
        with open_chaos_run(cluster, fleet, data, len(SERVERS), requests=False) as running:
            yield running


def draft(made: ChaosRun, rule: Policy) -> int:
    """Draft a rollout of a new release, one server a batch, and request its approval."""
    store = BlobStore.of(Settings(home=made.home))
    engineer = next(p for p in made.fleet.directory().people if p.role == "engineer")
    packed = archive({"app.json": json.dumps({"version": FRESH}).encode()})
    new = NewArtifact("app", FRESH, "app.tar.gz")
    with records.prepare(made.board, store, engineer, new, len(packed)) as incoming:
        incoming.write(packed)
        incoming.seal()
        artifact = records.add(made.board, store, engineer, new, incoming)
    content = Content("app", FRESH, "app.tar.gz", incoming.sha256, len(packed))
    with Connections(FileCredentialStore(made.home / "secrets")) as connections:
        gate, plans = Gate(made.board, connections), []
        for name in SERVERS:
            host = cmdb.server(made.board, name)
            # How fast this machine answers says nothing.
            healthy = HealthGate(seconds=1, milliseconds=60_000)
            wanted = Deployment(content, "app", lambda _n, _v: None, gate=healthy)
            plan = plan_server(host, wanted, partial(gate.inspect, engineer, host))
            plans.append(ServerPlan("app", plan))
    options = Options(tiers=("WAS",), on_interruption=rule)
    number = drafts.draft(made.board, engineer, artifact, plans, options)
    drafts.submit(made.board, engineer, number)
    return number


def effects(made: ChaosRun) -> list[list[str]]:
    """Return the releases with which each server was restarted, in the order of the batches."""
    return [made.services.targets[name].effects for name in SERVERS]


def between_batches(made: ChaosRun, number: int) -> bool:
    """Return whether batch 2 is done and batch 3 has not begun."""
    query = """select count(*), count(*) filter (where status = 'COMPLETED')
               from tb_rollout_server join tb_ops_task using (task_id) where rollout_id = %s"""
    return made.rows(query, number) == [(2, 2)]


def within_batch(made: ChaosRun, _number: int) -> bool:
    """Return whether the third server was just restarted; its worker has not noted that yet."""
    return bool(effects(made)[2])


@pytest.mark.parametrize("moment", [between_batches, within_batch])
@pytest.mark.parametrize("rule", ["continue", "rollback"])
def test_a_killed_worker_leaves_no_server_in_between(
    made: ChaosRun, rule: Policy, moment: Any
) -> None:
    worker, number = made.worker(), draft(made, rule)
    show = partial(view.get_rollout, made.board, None, number)
    made.until(lambda: show().done >= 1, "nothing is rolled out")
    assert wait_until(lambda: moment(made, number), pause=0.01), "the moment was missed"
    made.signal_worker(worker, signal.SIGKILL)
    assert show().done == 2
    spare = made.worker()
    made.until(lambda: show().state in ENDS and not made.open_runs(), "the rollout does not end")

    touched = 2 if moment is between_batches else 3
    seen, shown = effects(made), show()
    current = [made.services.targets[name].current for name in SERVERS]
    # A command that was killed half-way may count as a failure of its server, which undoes all.
    may_fail = moment is within_batch
    if rule == "continue" and not (may_fail and shown.state is RolloutState.ROLLED_BACK):
        assert shown.state is RolloutState.DONE
        assert current == [FRESH] * 5 and seen == [[FRESH]] * 5
    else:
        assert shown.state is RolloutState.ROLLED_BACK
        assert current == [OLD] * 5
        assert seen == [[FRESH, OLD]] * touched + [[]] * (5 - touched)
    assert made.audit_log_is_intact()
    assert spare.stop() == 0
