"""`guardia lab up --machines`: what it prints enrols the machines, of either make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, environment, invoke, output, run_process
from machines_env import Machine, started_machines
from waiting import wait_until

from guardia.cli.lab_machines import enrolment
from guardia.errors import Invalid
from guardia.tools.lab.machines.spec import default_roles


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    variables = {"COLUMNS": "250"}
    with command_env(database, tmp_path / "h", monkeypatch, people=False, **variables) as found:
        output("institution", "add", "MOE", "--name", "교육부")
        yield found


def enrol(machine: Machine) -> dict[str, Any]:
    printed = enrolment(machine.running.inventory, machine.name)
    found: dict[str, Any] = json.loads(output(*printed[1:], "--institution", "MOE", "--json"))
    return found


@pytest.mark.machines
@pytest.mark.slow
def test_a_current_machine_is_enrolled(env: BoardEnv, machine: Machine) -> None:
    facts = enrol(machine)["facts"]
    assert (facts["os"], facts["init"]) == ("debian", "systemd")
    assert facts["encoding"].upper() == "UTF-8"
    checked = json.loads(output("server", "check", machine.name, "--json"))
    assert {t["tool"]: t for t in checked["tools"]}["host.load"]["works"]


@pytest.mark.machines
@pytest.mark.slow
def test_a_machine_of_another_make_is_enrolled(env: BoardEnv, old_machine: Machine) -> None:
    facts = enrol(old_machine)["facts"]
    assert (facts["os"], facts["init"]) == ("debian", "init")
    assert facts["encoding"].upper().replace("-", "") == "EUCKR"
    assert facts["shell"].endswith("dash")
    checked = json.loads(output("server", "check", old_machine.name, "--json"))
    assert {t["tool"]: t for t in checked["tools"]}["host.load"]["works"]


@pytest.mark.machines
@pytest.mark.slow
def test_faults_by_hand(machine: Machine) -> None:
    home = machine.running.home.parent
    given = ("--machine", machine.name)

    def guardia(*words: str) -> str:
        done = run_process("lab", *words, env=environment(home))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(guardia("fault", "timer-off", *given, "--json"))["good"] is False
    [seen, *_] = json.loads(guardia("status", "--json"))["machines"]
    assert seen["name"] == machine.name and seen["running"]
    assert seen["oracles"]["timer-off"]["good"] is False
    assert "타이머" in guardia("fault", "timer-off", *given)
    assert "timer-off: 이상" in guardia("status")
    assert "장애 해제" in guardia("heal", "all", *given)
    assert machine.running.oracle("timer-off", machine.name).good


@pytest.mark.machines
@pytest.mark.slow
def test_down_ends_them() -> None:
    with started_machines("db") as running:
        done = run_process("lab", "down", env=environment(running.home.parent))
        assert done.returncode == 0, done.stderr
        assert wait_until(lambda: not running.is_alive())


def test_an_unknown_role_is_refused_with_those_that_exist() -> None:
    error = invoke("lab", "up", "--machines", "--role", "mainframe").exception
    assert isinstance(error, Invalid)
    assert "mainframe" in str(error) and "old" in str(error)


def test_a_fleet_of_several_has_every_make() -> None:
    assert default_roles(4) == ("web", "db", "old", "web")
