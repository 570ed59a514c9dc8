"""A rollout on the servers of the practice fleet, from the draft to its end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deploy_env import archive
from full_stack import FullStack, open_full_stack, seed_full_stack

from guardia.board.artifacts import records
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.records import NewArtifact
from guardia.board.audit.model import AuditEntry
from guardia.board.control import kill_switch
from guardia.board.core.plan import ToolCall
from guardia.board.rollouts import drafts, progress, requests, view
from guardia.board.rollouts.drafts import ServerPlan
from guardia.board.rollouts.policy import Options, RolloutState, ServerState
from guardia.board.rollouts.view import RolloutView
from guardia.errors import Forbidden, IllegalMove, Invalid, Refused, Unreachable
from guardia.heartbeat import rollout_plans
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Host, PersonInfo
from guardia.tools import planning
from guardia.tools.deployment import Content, Deployment, HealthGate, plan_server
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.slow, pytest.mark.ssh]

SERVERS = {
    "MOF-WAS-01": "budget",
    "MOF-WAS-02": "budget",
    "MOIS-WAS-01": "minwon",
    "MOE-WEB-01": "homepage",
}
OPTIONS = Options(tiers=("WEB", "WAS"))
SLOWEST = 60_000
"""Milliseconds of an answer that is good enough here: how fast this machine is says nothing."""


@dataclass
class Rollouts:
    """The board, its team and the fleet, with what people do about rollouts."""

    stack: FullStack
    store: BlobStore
    number: int = 0

    @property
    def engineer(self) -> PersonInfo:
        return self.stack.person("engineer")

    def artifact(self, version: str, *, broken: bool = False) -> Content:
        """Upload a release that every service of the fleet can run."""
        app = {"version": version, "title": "시험", "broken": broken}
        packed = archive({"app.json": json.dumps(app).encode()})
        new = NewArtifact("app", version, "app.tar.gz")
        board, person = self.stack.board, self.engineer
        with records.prepare(board, self.store, person, new, len(packed)) as incoming:
            incoming.write(packed)
            incoming.seal()
            number = records.add(board, self.store, person, new, incoming)
        self.number = number
        return Content("app", version, "app.tar.gz", incoming.sha256, len(packed))

    def draft(self, content: Content, options: Options = OPTIONS, servers: Any = None) -> int:
        """Plan every server from what it runs, and draft the rollout."""
        plans = []
        for server, service in (servers or SERVERS).items():
            host = self.stack.fleet.inventory.host(server)
            gate = HealthGate(seconds=1, milliseconds=SLOWEST)
            wanted = Deployment(content, service, lambda _n, _v: None, gate=gate)
            read = partial(self.stack.gate.inspect, self.engineer, server)
            plans.append(ServerPlan(service, plan_server(host, wanted, read)))
        return drafts.draft(self.stack.board, self.engineer, self.number, plans, options)

    def approve(self, number: int) -> int:
        """Request the approval and give it."""
        sr_id = drafts.submit(self.stack.board, self.engineer, number)
        self.stack.decide(sr_id)
        return sr_id

    def run(self, number: int, process: str = "one", steps: int = 60, until: Any = None) -> None:
        """Let agents and the rollout work until it stops, or until `until` holds."""
        for _ in range(steps):
            if until and until(self.show(number)):
                return
            if progress.advance(self.stack.board, number, process) not in progress.ACTIVE:
                return
            self.stack.work()
        raise AssertionError(f"rollout {number} does not rest: {self.show(number)}")

    def show(self, number: int) -> RolloutView:
        return view.get_rollout(self.stack.board, None, number)

    def states(self, number: int) -> dict[str, ServerState]:
        return {s.server: s.state for s in self.show(number).servers}

    def current(self) -> dict[str, str]:
        """Return the release that each server runs, as seen on the server itself."""
        return {
            server: str(Path(self._root(server), "current").readlink()).rpartition("/")[2]
            for server in SERVERS
        }

    def releases(self, server: str) -> list[str]:
        return sorted(p.name for p in Path(self._root(server), "releases").iterdir())

    def _root(self, server: str) -> str:
        return str(self.stack.fleet.inventory.host(server).services[0].root)


@pytest.fixture
def rollouts(database: Any, practice: Any, tmp_path: Path) -> Iterator[Rollouts]:
    keys = tmp_path / "secrets"
    seed_full_stack(database.owner, database.app, practice, keys)
    store = BlobStore(tmp_path / "store", file_bytes=1 << 30, total_bytes=1 << 30)
    with open_full_stack(database.app, practice, keys, contents=store) as stack:
        found = Rollouts(stack, store)
        before = found.current()
        yield found
        restore(found, before, keys)


def restore(found: Rollouts, before: dict[str, str], keys: Path) -> None:
    """Switch the servers of the fleet back, for the tests that follow."""
    with Connections(FileCredentialStore(keys)) as connections:
        for server, version in found.current().items():
            if version == before[server]:
                continue
            args = {"service": SERVERS[server], "version": before[server], "previous": version}
            host = found.stack.fleet.inventory.host(server)
            tool, _, command = planning.prepare(ToolCall(tool="deploy.activate", args=args), host)
            assert connections.run(host, command, timeout=tool.timeout).exit == 0
            shutil.rmtree(Path(found._root(server), "releases", version))


def test_one_approval_rolls_out_to_all_servers_in_order(rollouts: Rollouts) -> None:
    content = rollouts.artifact("9.0.0")
    number = rollouts.draft(content)
    shown = rollouts.show(number)
    assert [(s.server, s.batch) for s in shown.servers] == [
        ("MOE-WEB-01", 1), ("MOF-WAS-01", 2), ("MOF-WAS-02", 3), ("MOIS-WAS-01", 4)
    ]  # fmt: skip
    before = rollouts.current()
    with pytest.raises(Refused):
        records.remove(
            rollouts.stack.board, rollouts.store, rollouts.stack.person("pm"), rollouts.number
        )
    sr_id = rollouts.approve(number)
    assert rollouts.current() == before  # nothing runs by being approved
    rollouts.run(number)
    shown = rollouts.show(number)
    assert (shown.state, shown.done) == (RolloutState.DONE, 4)
    assert set(rollouts.current().values()) == {"9.0.0"}
    kinds = [e.kind for e in rollouts.stack.entries(sr_id)]
    assert kinds.count("bundled") == 4 and kinds.count("approved") == 3
    order = [e.detail["server"] for e in rollouts.stack.entries(sr_id) if e.kind == "intent"
             and e.detail["tool"] == "deploy.activate"]  # fmt: skip
    assert order == [s.server for s in shown.servers]
    assert rollouts.stack.state(sr_id).value == "COMPLETED"
    records.remove(
        rollouts.stack.board, rollouts.store, rollouts.stack.person("pm"), rollouts.number
    )


def test_a_worker_makes_the_plans_that_a_page_asks_for(rollouts: Rollouts) -> None:
    """What runs is no known artefact: its files are read from the server."""
    rollouts.artifact("9.6.0")
    board, person = rollouts.stack.board, rollouts.engineer
    targets = (*SERVERS.items(), ("MOF-DB-01", "budgetdb"), ("NO-SUCH-01", "x"))
    wanted = requests.Request(targets=targets, health={"seconds": 1})
    number = requests.ask(board, person, rollouts.number, wanted, OPTIONS)
    shown = rollouts.show(number)
    assert shown.state is RolloutState.PLANNING and not shown.servers
    with pytest.raises(IllegalMove):
        drafts.submit(board, person, number)
    rollout_plans.carry_out(board, rollouts.stack.gate, number)
    rollout_plans.carry_out(board, rollouts.stack.gate, number)  # a repeated job does nothing
    shown = rollouts.show(number)
    assert shown.state is RolloutState.DRAFT and "2대" in shown.reason
    assert {s.server for s in shown.servers} == set(SERVERS)
    assert set(shown.left_out) == {"MOF-DB-01", "NO-SUCH-01"}
    assert "budgetdb" in shown.left_out["MOF-DB-01"]
    files = view.files_of(board, rollouts.store, shown)
    assert files.against == "MOE-WEB-01에서 실행 중인 파일" and files.comparison is not None
    changed = {c.name: c for c in files.comparison.changes}
    difference = "\n".join(changed["app.json"].diff)
    assert changed["app.json"].kind == "changed"
    assert '-  "version": "1.4.2"' in difference or '"9.6.0"' in difference
    rollouts.approve(number)
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.DONE


def test_a_rollout_that_cannot_be_planned_is_cancelled(rollouts: Rollouts) -> None:
    rollouts.artifact("9.7.0")
    board = rollouts.stack.board
    wanted = requests.Request(targets=(("MOF-DB-01", "budgetdb"),))
    number = requests.ask(board, rollouts.engineer, rollouts.number, wanted, OPTIONS)
    rollout_plans.carry_out(board, rollouts.stack.gate, number)
    shown = rollouts.show(number)
    assert shown.state is RolloutState.CANCELLED and "MOF-DB-01" in shown.left_out
    with pytest.raises(Invalid):
        empty = requests.Request(targets=())
        requests.ask(board, rollouts.engineer, rollouts.number, empty, OPTIONS)


def test_the_first_failure_restores_exactly_what_was_touched(rollouts: Rollouts) -> None:
    number = rollouts.draft(rollouts.artifact("9.0.1", broken=True), OPTIONS)
    before = rollouts.current()
    rollouts.approve(number)
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK
    assert rollouts.current() == before
    states = rollouts.states(number)
    assert states.pop("MOE-WEB-01") is ServerState.RESTORED
    assert set(states.values()) == {ServerState.WAITING}
    assert "9.0.1" not in rollouts.releases("MOE-WEB-01")


@pytest.mark.parametrize("rule", ["continue", "rollback"])
def test_an_interruption_ends_as_the_rule_says(
    rollouts: Rollouts, rule: Any, database: Any
) -> None:
    options = Options(tiers=("WEB", "WAS"), on_interruption=rule)
    number = rollouts.draft(rollouts.artifact("9.1.0"), options)
    before = rollouts.current()
    rollouts.approve(number)
    rollouts.run(number, "one", until=lambda shown: shown.done == 2)
    # Its process is gone: another does nothing while the lease lasts, then takes over.
    assert progress.advance(rollouts.stack.board, number, "two") is RolloutState.RUNNING
    assert rollouts.show(number).done == 2
    with psycopg.connect(database.app) as connection:
        connection.execute("update tb_rollout set advanced_at = advanced_at - %s", [progress.LEASE])
    rollouts.run(number, "two")
    ended = rollouts.show(number).state
    if rule == "continue":
        assert ended is RolloutState.DONE and set(rollouts.current().values()) == {"9.1.0"}
    else:
        assert ended is RolloutState.ROLLED_BACK and rollouts.current() == before
        touched = [s for s, found in rollouts.states(number).items() if found != "WAITING"]
        assert touched == ["MOE-WEB-01", "MOF-WAS-01"]


def test_only_the_failed_ones_again(rollouts: Rollouts) -> None:
    options = Options(tiers=("WAS", "WEB"), on_failure="pause")
    number = rollouts.draft(rollouts.artifact("9.2.0"), options)
    rollouts.approve(number)
    rollouts.run(number, until=lambda shown: shown.done == 1)
    # A person changes the second server by hand: its plan refuses to start.
    root = Path(rollouts._root("MOF-WAS-02"))
    (root / "current").unlink()
    (root / "current").symlink_to("releases/3.1.1")
    rollouts.run(number)
    shown = rollouts.show(number)
    assert shown.state is RolloutState.PAUSED and "MOF-WAS-02" in shown.reason
    with pytest.raises(Refused):
        progress.resume(rollouts.stack.board, rollouts.engineer, number)
    drafts.cancel(rollouts.stack.board, rollouts.engineer, number, "나머지는 따로")
    (root / "current").unlink()
    (root / "current").symlink_to("releases/3.1.0")
    left = dict(progress.unfinished(rollouts.stack.board, number))
    assert set(left) == {"MOF-WAS-02", "MOIS-WAS-01", "MOE-WEB-01"}
    size = shown.servers[0].plan.actions[0].call.args["size"]
    content = Content("app", "9.2.0", "app.tar.gz", shown.sha256, size)
    again = rollouts.draft(content, options, left)
    rollouts.approve(again)
    rollouts.run(again)
    assert rollouts.show(again).state is RolloutState.DONE
    assert set(rollouts.current().values()) == {"9.2.0"}


def test_the_approval_is_bound_to_everything(rollouts: Rollouts, database: Any) -> None:
    number = rollouts.draft(rollouts.artifact("9.3.0"))
    customer = rollouts.stack.person("customer")
    for act in (drafts.submit, progress.resume):
        with pytest.raises(Forbidden):
            act(rollouts.stack.board, customer, number)
    drafts.reorder(rollouts.stack.board, rollouts.engineer, number, Options(tiers=("WAS", "WEB")))
    rollouts.approve(number)
    with pytest.raises(IllegalMove):
        drafts.reorder(rollouts.stack.board, rollouts.engineer, number, Options())
    before = rollouts.current()
    progress.advance(rollouts.stack.board, number, "one")
    with psycopg.connect(database.app) as connection:  # past the board
        connection.execute(
            "update tb_rollout_server set plan = jsonb_set(plan, '{actions,0,call,args,sha256}',"
            " to_jsonb(repeat('a', 64))) where ordinal = 0"
        )
    rollouts.run(number)
    shown = rollouts.show(number)
    assert shown.state is RolloutState.PAUSED and "승인한 내용" in shown.reason
    assert rollouts.current() == before


def test_a_server_whose_transfer_never_started_is_as_before(
    rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, before = rollouts.draft(rollouts.artifact("9.6.0")), rollouts.current()
    rollouts.approve(number)
    run = Connections.run

    def lossy(connections: Connections, host: Host, *words: Any, **more: Any) -> Any:
        if host.server_id == "MOF-WAS-01" and more.get("fence_guard"):  # a change
            raise Unreachable(server=host.server_id, why="연결이 거부되었습니다")
        return run(connections, host, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Connections, "run", lossy)
        rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK
    assert rollouts.states(number)["MOF-WAS-01"] is ServerState.RESTORED
    assert rollouts.current() == before


def test_a_root_that_was_not_approved_permits_nothing(rollouts: Rollouts, database: Any) -> None:
    number = rollouts.draft(rollouts.artifact("9.4.0"))
    sr_id = drafts.submit(rollouts.stack.board, rollouts.engineer, number)
    before = rollouts.current()
    with psycopg.connect(database.superuser) as connection:  # past the board
        connection.execute("update tb_ops_task set status = 'APPROVED' where sr_id = %s", [sr_id])
    rollouts.run(number, until=lambda shown: shown.state not in ("PENDING", "RUNNING"))
    assert rollouts.current() == before
    with rollouts.stack.board.database.reading() as session:
        tools = [
            e.detail["tool"]
            for e in session.query(AuditEntry).filter_by(kind="intent", sr_id=sr_id)
        ]
    assert tools == []


def test_the_kill_switch_stops_it_and_leaves_nothing_half_done(rollouts: Rollouts) -> None:
    number = rollouts.draft(rollouts.artifact("9.5.0"))
    rollouts.approve(number)
    rollouts.run(number, until=lambda shown: shown.done == 1)
    lead = rollouts.stack.person("team_lead")
    kill_switch.kill(rollouts.stack.board, lead, "시험")
    rollouts.run(number)
    shown = rollouts.show(number)
    assert (shown.state, shown.done) == (RolloutState.PAUSED, 1)
    kill_switch.release(rollouts.stack.board, rollouts.stack.person("pm"), "끝")
    progress.roll_back(rollouts.stack.board, rollouts.engineer, number, "")
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK


def test_a_pause_in_the_first_batch_leaves_the_look_at_the_canary(rollouts: Rollouts) -> None:
    options = Options(tiers=("WEB", "WAS"), pause_after_canary=True)
    number = rollouts.draft(rollouts.artifact("9.8.0"), options)
    board, person = rollouts.stack.board, rollouts.engineer
    rollouts.approve(number)
    for _ in range(2):  # its start, and its first batch
        progress.advance(board, number, "one")
    progress.pause(board, person, number, "")
    rollouts.stack.work()
    progress.resume(board, person, number)
    rollouts.run(number)
    shown = rollouts.show(number)
    assert (shown.state, shown.done) == (RolloutState.PAUSED, 1)
    assert shown.reason == "카나리 확인 대기"
    progress.resume(board, person, number)
    rollouts.run(number, until=lambda shown: shown.done > 1)
    progress.pause(board, person, number, "")
    progress.resume(board, person, number)  # a later pause asks for no further look
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.DONE


POOL = """upstream pool {
    server 10.0.0.1:8080 max_fails=2;
    server 10.0.0.2:8080;
    server 10.0.0.9:8080;
}
"""
BEHIND = {"MOF-WAS-01": "budget", "MOF-WAS-02": "budget"}


@pytest.fixture
def pool(rollouts: Rollouts, database: Any) -> Path:
    """Put a web server before two others, as their CMDB entries say."""
    file = Path(rollouts._root("MOE-WEB-01"), "conf/pool.conf")
    file.write_text(POOL)
    with psycopg.connect(database.app) as connection:
        for address, server in enumerate(BEHIND, 1):
            drain = f"upstream:MOE-WEB-01/homepage:{file}:pool:10.0.0.{address}:8080"
            connection.execute(
                "update tb_server_info set services ="
                " jsonb_set(services, '{0,drain}', to_jsonb(%s::text)) where server_id = %s",
                [drain, server],
            )
    return file


def planned(rollouts: Rollouts, version: str, *, broken: bool = False) -> int:
    """Have a worker plan the servers behind the web server."""
    rollouts.artifact(version, broken=broken)
    board, person = rollouts.stack.board, rollouts.engineer
    wanted = requests.Request(targets=tuple(BEHIND.items()), health={"seconds": 1})
    number = requests.ask(board, person, rollouts.number, wanted, OPTIONS)
    rollout_plans.carry_out(board, rollouts.stack.gate, number)
    return number


def commands_of(rollouts: Rollouts, sr_id: int) -> list[str]:
    """Return the changes that were sent, as server and tool."""
    return [
        f"{e.detail['server']} {e.detail['tool']}"
        for e in rollouts.stack.entries(sr_id)
        if e.kind == "intent" and e.detail["phase"] in ("do", "undo")
    ]


def test_a_load_balancer_on_another_server_is_part_of_the_rollout(
    rollouts: Rollouts, pool: Path
) -> None:
    number = planned(rollouts, "9.8.1")
    shown = rollouts.show(number)
    assert not shown.left_out, shown.left_out
    assert [[f.step for f in s.fronts] for s in shown.servers] == [["out", "back"]] * 2
    sr_id = rollouts.approve(number)
    rollouts.run(number, until=lambda shown: shown.servers[0].fronts[0].state is ServerState.DONE)
    assert "server 10.0.0.1:8080 max_fails=2 down;" in pool.read_text()
    # A pause leaves no server without its traffic, and a cancellation has to wait for that.
    progress.pause(rollouts.stack.board, rollouts.engineer, number, "")
    with pytest.raises(Refused, match="MOF-WAS-01"):
        drafts.cancel(rollouts.stack.board, rollouts.engineer, number, "")
    for _ in range(6):
        progress.advance_all(rollouts.stack.board, "one")
        rollouts.stack.work()
    shown = rollouts.show(number)
    assert (shown.state, shown.done) == (RolloutState.PAUSED, 1)
    assert pool.read_text() == POOL
    one = ["MOE-WEB-01 deploy.take_out", "MOF-WAS-01 deploy.stage", "MOF-WAS-01 deploy.activate"]
    assert commands_of(rollouts, sr_id) == [*one, "MOE-WEB-01 deploy.put_back"]
    progress.resume(rollouts.stack.board, rollouts.engineer, number)
    rollouts.run(number, until=lambda shown: shown.done == 2)
    progress.roll_back(rollouts.stack.board, rollouts.engineer, number, "")
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK
    assert pool.read_text() == POOL
    assert {rollouts.current()[server] for server in BEHIND} != {"9.8.1"}
    undone = commands_of(rollouts, sr_id)[8:]
    assert undone == [
        f"{place} deploy.{tool}"
        for server in ("MOF-WAS-02", "MOF-WAS-01")
        for place, tool in (
            ("MOE-WEB-01", "take_out"),
            (server, "activate"),
            (server, "unstage"),
            ("MOE-WEB-01", "put_back"),
        )
    ]


def test_a_failed_change_is_undone_before_its_traffic_returns(
    rollouts: Rollouts, pool: Path
) -> None:
    number = planned(rollouts, "9.8.2", broken=True)
    before = rollouts.current()
    sr_id = rollouts.approve(number)
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK
    assert (pool.read_text(), rollouts.current()) == (POOL, before)
    assert commands_of(rollouts, sr_id)[-1] == "MOE-WEB-01 deploy.put_back"
    assert rollouts.states(number)["MOF-WAS-02"] is ServerState.WAITING


def test_an_upstream_that_cannot_be_changed_leaves_the_server_alone(
    rollouts: Rollouts, pool: Path
) -> None:
    number = planned(rollouts, "9.8.3")
    pool.write_text(
        POOL.replace("10.0.0.2:8080;", "10.0.0.2:8080 down;").replace("9:8080;", "9:8080 down;")
    )
    found, before = pool.read_text(), rollouts.current()
    sr_id = rollouts.approve(number)
    rollouts.run(number)
    assert rollouts.show(number).state is RolloutState.ROLLED_BACK
    assert (pool.read_text(), rollouts.current()) == (found, before)
    assert all("stage" not in command for command in commands_of(rollouts, sr_id))
