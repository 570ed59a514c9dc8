"""A read on many servers through the gate: results, audit log, again, stop, a lost worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER, LEAD, SERVER, BoardEnv
from inflight_env import SlowTransport, count_sleeping_commands
from openssh_server import OpenSSH
from page_env import AUDITOR, OTHER_CUSTOMER
from waiting import PATIENCE, wait_until

from guardia.board.audit import log
from guardia.board.cmdb import server_list, servers
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.control import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.keyset import Keyset
from guardia.board.remote_console import export, progress, runs, view
from guardia.board.remote_console.policy import RunState, TargetState
from guardia.board.remote_console.progress import ReadResult
from guardia.board.remote_console.runs import RunRequest
from guardia.board.remote_console.targets import RunLimits
from guardia.board.remote_console.view import RemoteRunView, RunTargetView
from guardia.errors import Forbidden, IllegalMove, Invalid, NotFound, Refused, Stale
from guardia.heartbeat import remote_runs
from guardia.org.directory import Host
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections

pytestmark = pytest.mark.ssh

LIMITS = RunLimits(reads=5, changes=2)
NAMES = ("MOF-WEB-11", "MOF-WEB-12", "MOF-WEB-13")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd", more="ListenAddress 127.0.0.2")
    yield server
    server.stop()


@pytest.fixture
def fleet(env: BoardEnv, sshd: OpenSSH) -> BoardEnv:
    """Enrol three servers of a group; the last one does not answer."""
    for number, name in enumerate(NAMES, 1):
        found: Any = sshd.host()
        changed: dict[str, Any] = {
            "server_id": name,
            "address": f"127.0.0.{number}",
            "institution": "MOF",
            "kind": "WEB",
            "aliases": (),
            "groups": ("portal",),
        }
        if name == NAMES[2]:
            changed["port"] = 1
        host: Host = found.model_copy(update=changed)
        servers.enrol(env.board, Actor.operator("test"), host)
    return env


def load(**more: Any) -> RunRequest:
    given = {"tool": "host.load", "wanted": ServerFilter(group="portal"), **more}
    return RunRequest(**given)


def carry_out(env: BoardEnv, sshd: OpenSSH, number: int, wrap: Any = None) -> None:
    with Connections(sshd) as connections:
        gate = Gate(env.board, wrap(connections) if wrap else connections)
        remote_runs.carry_out(env.board, gate, number)


def shown(env: BoardEnv, number: int) -> tuple[RemoteRunView, dict[str, RunTargetView]]:
    run = view.get_run(env.board, None, number)
    return run, {one.server: one for one in view.every_target(env.board, number)}


def states(env: BoardEnv, number: int) -> list[TargetState]:
    return [one.state for one in shown(env, number)[1].values()]


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        return [entry.kind for entry in log.entries(session)]


@pytest.mark.slow
def test_a_read_runs_on_all_servers_and_only_the_failed_ones_again(
    fleet: BoardEnv, sshd: OpenSSH
) -> None:
    sr_id = fleet.create_issue()
    asked = load(expected=3, reason="점검", sr_id=sr_id)
    number = runs.start(fleet.board, ENGINEER, asked, LIMITS)
    assert states(fleet, number) == [TargetState.WAITING] * 3
    carry_out(fleet, sshd, number)
    carry_out(fleet, sshd, number)  # a repeated job does nothing
    run, found = shown(fleet, number)
    assert (run.state, run.done, run.failed) == (RunState.DONE, 3, 1)
    good, bad = found[NAMES[0]], found[NAMES[2]]
    assert good.state is TargetState.OK and good.findings["cores"] >= 1
    assert good.output and good.milliseconds is not None and "cores=" in good.summary
    assert bad.state is TargetState.FAILED and bad.why and not bad.output
    recorded = kinds(fleet)
    assert recorded.count("remote_asked") == recorded.count("remote_ended") == 1
    assert recorded.count("inspected") == 2 and recorded.count("inspection_failed") == 1
    history = server_list.history(fleet.board, ENGINEER, NAMES[0])
    assert {event.run for event in history if event.run} == {number}

    fresh = runs.again(fleet.board, LEAD, number, LIMITS)
    run, found = shown(fleet, fresh)
    assert list(found) == [NAMES[2]] and run.again_of == number
    assert (run.reason, run.sr_id, run.author) == ("점검", sr_id, "person:lead")
    with pytest.raises(Refused):
        runs.again(fleet.board, LEAD, fresh, LIMITS)  # it runs
    listed = view.list_runs(fleet.board, AUDITOR, Keyset()).rows
    assert [one.number for one in listed] == [fresh, number]

    table = "".join(export.as_csv(view.every_target(fleet.board, number)))
    assert table.startswith("\ufeff") and all(name in table for name in NAMES)
    text = "".join(export.as_text(shown(fleet, number)[0], view.every_target(fleet.board, number)))
    assert f"===== {NAMES[0]} [성공]" in text and good.output.strip() in text


def test_who_may_start_what_on_how_many_servers(fleet: BoardEnv) -> None:
    board = fleet.board
    with pytest.raises(NotFound):
        runs.start(board, OTHER_CUSTOMER, load(), LIMITS)
    with pytest.raises(NotFound):
        view.list_runs(board, OTHER_CUSTOMER, Keyset())
    with pytest.raises(Forbidden):
        runs.start(board, AUDITOR, load(), LIMITS)
    with pytest.raises(Stale):
        runs.start(board, ENGINEER, load(expected=2), LIMITS)
    for wanted in (ServerFilter(group="none"), ServerFilter(text="%"), ServerFilter(kind="X")):
        with pytest.raises(Invalid) as none:
            runs.start(board, ENGINEER, load(wanted=wanted), LIMITS)
        assert none.value.detail["field"] == "servers"
    with pytest.raises(Invalid):
        runs.start(board, ENGINEER, load(), RunLimits(reads=2, changes=2))
    with pytest.raises(NotFound):
        runs.start(board, ENGINEER, load(servers=[NAMES[0], "NO-SUCH-1"]), LIMITS)
    with pytest.raises(Invalid) as tool:
        runs.start(board, ENGINEER, load(tool="sh -c"), LIMITS)
    assert tool.value.detail["field"] == "tool"
    with pytest.raises(Invalid) as argument:
        runs.start(board, ENGINEER, load(args={"shell": "id"}), LIMITS)
    assert str(argument.value.detail["field"]).startswith("arg-")
    with pytest.raises(NotFound) as issue:
        runs.start(board, ENGINEER, load(sr_id=999), LIMITS)
    assert issue.value.detail["field"] == "sr"
    with pytest.raises(Forbidden):  # an engineer may not force a change
        runs.start(board, ENGINEER, load(tool="service.stop", args={"service": "x"}), LIMITS)
    assert "remote_asked" not in kinds(fleet)
    number = runs.start(board, ENGINEER, load(servers=[NAMES[1], NAMES[1]]), LIMITS)
    assert list(shown(fleet, number)[1]) == [NAMES[1]]


def test_a_worker_that_takes_over_names_what_is_not_known(fleet: BoardEnv, sshd: OpenSSH) -> None:
    number = runs.start(fleet.board, ENGINEER, load(), LIMITS)
    lost = progress.begin(fleet.board, number)
    assert lost is not None
    ((ordinal, _),) = progress.take(fleet.board, lost, 1)
    assert progress.keep_output(fleet.board, lost, {ordinal: "절반\npassword=hunter22"})
    with_rest = progress.begin(fleet.board, number)  # the first worker was killed
    assert with_rest is not None
    late = ReadResult(TargetState.OK, 5, {"cores": 1}, "늦은 결과")
    progress.settle(fleet.board, lost, ordinal, late)
    assert not progress.keep_output(fleet.board, lost, {ordinal: "늦은 출력"})
    assert progress.take(fleet.board, lost, 3) == []
    progress.finish(fleet.board, lost)
    assert shown(fleet, number)[0].state is RunState.RUNNING
    carry_out(fleet, sshd, number)
    run, found = shown(fleet, number)
    assert run.state is RunState.DONE
    first = found[NAMES[0]]
    assert first.state is TargetState.UNKNOWN and "절반" in first.output
    assert "중단" in first.why and not first.findings
    assert found[NAMES[1]].state is TargetState.OK
    assert kinds(fleet).count("remote_interrupted") == 1


@pytest.mark.slow
@pytest.mark.parametrize("by", ["person", "switch"])
def test_stopping_ends_the_running_commands_on_their_servers(
    fleet: BoardEnv, sshd: OpenSSH, by: str
) -> None:
    number = runs.start(fleet.board, ENGINEER, load(servers=list(NAMES[:2])), LIMITS)
    before = count_sleeping_commands()
    work = threading.Thread(target=carry_out, args=(fleet, sshd, number, SlowTransport))
    work.start()
    assert wait_until(lambda: count_sleeping_commands() > before)
    if by == "person":
        runs.stop(fleet.board, LEAD, number, "잘못 골랐습니다")
    else:
        kill_switch.kill(fleet.board, LEAD, "점검")
    work.join(PATIENCE)
    assert not work.is_alive() and count_sleeping_commands() == before
    run, found = shown(fleet, number)
    assert run.state is RunState.STOPPED
    assert {one.state for one in found.values()} == {TargetState.STOPPED}
    assert all(one.why for one in found.values())
    with pytest.raises(IllegalMove):
        runs.stop(fleet.board, LEAD, number)
    recorded = kinds(fleet)
    assert "remote_ended" in recorded and (by == "switch" or "remote_stopped" in recorded)
    if by == "switch":
        with pytest.raises(Refused):
            runs.start(fleet.board, ENGINEER, load(), LIMITS)


def test_a_run_that_no_worker_has_begun_is_stopped_at_once(fleet: BoardEnv) -> None:
    number = runs.start(fleet.board, ENGINEER, load(), LIMITS)
    with pytest.raises(NotFound):
        runs.stop(fleet.board, OTHER_CUSTOMER, number)
    with pytest.raises(Forbidden):
        runs.stop(fleet.board, AUDITOR, number)
    runs.stop(fleet.board, ENGINEER, number)
    assert shown(fleet, number)[0].state is RunState.STOPPED
    assert set(states(fleet, number)) == {TargetState.STOPPED}
    assert progress.begin(fleet.board, number) is None


def test_a_closed_account_and_a_blocked_server_send_nothing(
    fleet: BoardEnv, sshd: OpenSSH, close_account: Callable[[str], None]
) -> None:
    number = runs.start(fleet.board, ENGINEER, load(servers=[NAMES[0], SERVER.server_id]), LIMITS)
    close_account(ENGINEER.id)
    carry_out(fleet, sshd, number)
    assert states(fleet, number) == [TargetState.REFUSED] * 2
    assert "inspection" not in kinds(fleet)


@pytest.fixture
def close_account(env: BoardEnv) -> Callable[[str], None]:
    from guardia.org.model import Person

    def close(account: str) -> None:
        with env.board.database.transaction() as session:
            session.get_one(Person, account).active = False

    return close
