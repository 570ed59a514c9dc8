"""`guardia remote` with its own worker: run, again, show, stop, and a worker that is killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, environment, invoke, output, refusal, running_worker
from openssh_server import OpenSSH
from page_env import PASSWORD
from waiting import wait_until

from guardia.board.cmdb import servers
from guardia.board.core.actors import Actor
from guardia.board.remote_console import view
from guardia.board.remote_console.policy import RunState, TargetState
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Host, Service
from guardia.settings import Settings

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

NAMES = ("MOF-WEB-11", "MOF-WEB-12")
RUN = ("remote", "run", "host.load", "--as", "eng", "--tag", "portal")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def env(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sshd: OpenSSH
) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path / "h", monkeypatch, COLUMNS="250") as found:
        FileCredentialStore(Settings().secrets).put("user", sshd.get("user"))
        yield found


def enrol(env: BoardEnv, name: str, sshd: OpenSSH, **changed: Any) -> None:
    facts = {"server_id": name, "institution": "MOF", "kind": "WEB", "groups": ("portal",)}
    host: Host = sshd.host().model_copy(update={**facts, **changed})
    servers.enrol(env.board, Actor.operator("test"), host)


@pytest.fixture
def begin_worker(database: Any, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Return a function that starts a worker; all end with the test."""
    named = {"GUARDIA_DSN": database.app, "GUARDIA_PASSWORD": PASSWORD}
    with ExitStack() as stack:

        def begin() -> Any:
            worker = running_worker(environment(tmp_path / "h", **named), tmp_path / "worker.log")
            return stack.enter_context(worker)

        yield begin


def states(env: BoardEnv, number: int) -> dict[str, TargetState]:
    return {one.server: one.state for one in view.every_target(env.board, number)}


def test_a_read_is_run_followed_repeated_and_stopped(
    env: BoardEnv, sshd: OpenSSH, begin_worker: Callable[[], Any]
) -> None:
    enrol(env, NAMES[0], sshd)
    enrol(env, NAMES[1], sshd, port=1)
    drafted = json.loads(output(*RUN, "--reason", "점검", "--yes", "--json"))
    assert (drafted["state"], drafted["total"], drafted["reason"]) == ("RUNNING", 2, "점검")
    stopped = json.loads(output("remote", "stop", drafted["number"], "--as", "lead", "--json"))
    assert stopped["state"] == "STOPPED"
    begin_worker()
    done = json.loads(output(*RUN, "--yes", "--wait", "--json"))
    assert (done["state"], done["counts"]) == ("DONE", {"OK": 1, "FAILED": 1})
    found = {row["server"]: row for row in done["servers"]}
    assert found[NAMES[0]]["findings"]["cores"] >= 1 and found[NAMES[1]]["why"]
    number = done["number"]
    shown = output("remote", "show", number, "--output")
    assert "===== MOF-WEB-11" in shown and "성공" in shown and "실패" in shown
    failed = json.loads(output("remote", "show", number, "--state", "failed", "--json"))
    assert [row["server"] for row in failed["servers"]] == [NAMES[1]]
    words = ("remote", "again", number, "--as", "eng", "--yes", "--wait", "--json")
    again = json.loads(output(*words))
    assert again["again_of"] == number and [s["server"] for s in again["servers"]] == [NAMES[1]]
    listed = json.loads(output("remote", "list", "--json"))
    assert [one["number"] for one in listed] == [again["number"], number, drafted["number"]]
    assert f"{number}  host.load" in output("remote", "list")


def test_who_may_not_and_what_is_wrong_is_refused(env: BoardEnv, sshd: OpenSSH) -> None:
    enrol(env, NAMES[0], sshd)
    refusal(NotFound, "remote", "run", "host.load", "--as", "cus", "--yes")
    refusal(Forbidden, "remote", "run", "host.load", "--as", "audit", "--yes")
    refusal(Invalid, "remote", "run", "sh", "--as", "eng", "--tag", "portal", "--yes")
    refusal(Invalid, "remote", "run", "host.load", "--as", "eng", "--tag", "none", "--yes")
    refusal(NotFound, "remote", "show", 99)
    assert "원격 실행 기록이 없습니다" in output("remote", "list")
    assert invoke("remote", "run", "host.load", "--as", "eng", "--arg", "x", "--yes").exit_code == 1


def test_a_change_is_drafted_shown_and_confirmed(env: BoardEnv, sshd: OpenSSH) -> None:
    service = Service(
        name="minwon", kind="http", port=8080, health="/h", root="/srv/m", control="/srv/m/ctl"
    )
    enrol(env, NAMES[0], sshd, services=(service,))
    change = (
        "remote", "run", "service.set_log_level", "--as", "lead", "--tag", "portal", "--reason",
        "장애 분석", "--arg", "service=minwon", "--arg", "level=DEBUG", "--arg", "previous=INFO",
    )  # fmt: skip
    drafted = output(*change)  # without a terminal it is not confirmed
    assert "확인 전" in drafted and "로그 수준" in drafted
    filed = json.loads(output(*change, "--yes", "--json"))
    assert filed["state"] == "PENDING" and filed["sr"]
    assert json.loads(output("show", filed["sr"], "--json"))["number"] == filed["sr"]


def test_a_killed_worker_leaves_a_state_that_is_true(
    env: BoardEnv, sshd: OpenSSH, begin_worker: Callable[[], Any], tmp_path: Path
) -> None:
    """One server has answered and one has not, when the worker gets SIGKILL."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    stuck = OpenSSH(tmp_path / "stuck", more=f"ForceCommand cat {gate}")
    try:
        enrol(env, NAMES[0], sshd)
        FileCredentialStore(Settings().secrets).put("stuck", stuck.get("user"))
        enrol(env, NAMES[1], stuck, port=stuck.port, host_key=stuck.host().host_key,
              credential="stuck")  # fmt: skip
        worker = begin_worker()
        number = json.loads(output(*RUN, "--yes", "--json"))["number"]
        in_the_middle = {NAMES[0]: TargetState.OK, NAMES[1]: TargetState.RUNNING}
        assert wait_until(lambda: states(env, number) == in_the_middle)
        worker.kill()
        worker.wait()
        assert states(env, number) == in_the_middle
        begin_worker()
        assert wait_until(lambda: view.get_run(env.board, None, number).has_ended)
        run = view.get_run(env.board, None, number)
        assert run.state is RunState.DONE
        assert states(env, number) == {NAMES[0]: TargetState.OK, NAMES[1]: TargetState.UNKNOWN}
        (lost,) = [t for t in view.every_target(env.board, number) if t.server == NAMES[1]]
        assert "중단되어 결과를 알 수 없습니다" in lost.why and not lost.findings
        fresh = json.loads(output("remote", "again", number, "--as", "eng", "--yes", "--json"))
        assert fresh["total"] == 1
    finally:
        _open_gate(gate)
        stuck.stop()


def _open_gate(gate: Path) -> None:
    """Let every command that reads the gate end."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return  # no command reads any more
