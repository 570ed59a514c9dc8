"""Enrolment of whole machines of two makes by the commands alone, as a plain account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import command_env, output
from machines_env import Machine

from guardia.board.cmdb import view

pytestmark = [pytest.mark.slow, pytest.mark.machines]
ID = "MOE-ALL-01"


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    with command_env(database, tmp_path / "h", monkeypatch, people=False) as found:
        output("institution", "add", "MOE", "--name", "교육부")
        yield found


def enrol(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        output(
            "server", "add", ID, "--institution", "MOE", "--address", machine.address,
            "--port", machine.ssh_port, "--account", machine.account, "--key", machine.key,
            "--fingerprint", machine.fingerprint, "--json",
        )
    )  # fmt: skip
    return found


def checked() -> dict[tuple[str, str | None], list[str]]:
    found = json.loads(output("server", "check", ID, "--json"))["tools"]
    return {(t["tool"], t["service"]): t["missing"] for t in found}


def grant_generated_rights(machine: Machine) -> None:
    """Put the printed file where an administrator would, after sudo's own check."""
    text = output("server", "sudoers", ID)
    machine.must(
        f"cat > /etc/sudoers.d/guardia <<'END'\n{text}END\n"
        "chmod 440 /etc/sudoers.d/guardia && visudo -c -q -f /etc/sudoers.d/guardia"
    )


@pytest.mark.parametrize("make", ["machine", "old_machine"])
def test_a_machine_of_any_make_is_enrolled_with_the_least_rights(
    env: BoardEnv, make: str, request: pytest.FixtureRequest
) -> None:
    machine: Machine = request.getfixturevalue(make)
    found = enrol(machine)
    host = view.server(env.board, ID)
    assert host.host_key == machine.host_key
    assert (host.facts.init == "systemd") == (make == "machine")
    assert found["facts"]["os"] == "debian"
    kinds = {service.kind for service in host.services}
    assert {"http", "tls", "postgresql"} <= kinds
    for service in host.services:
        if service.port is not None:
            assert service.address in (None, machine.address), service
    web = next(s for s in host.services if s.product in ("nginx", "apache"))
    was = next(s for s in host.services if s.product == "tomcat")
    assert web.port == machine.ports["http"] and was.port == machine.ports["was"]
    names = next(s for s in host.services if s.kind == "tls").tls_names
    assert names and names[0].endswith(".agency.example")
    if make == "machine":
        assert web.unit == "nginx.service" and was.unit == "tomcat10.service"
    else:
        assert web.unit is None and was.encoding in ("euc-kr", "cp949")
    before = checked()
    assert before["host.load", None] == []
    grant_generated_rights(machine)
    try:
        after = checked()
    finally:
        machine.must("rm /etc/sudoers.d/guardia")
    lacking = {key for key, missing in after.items() if any("sudo" in text for text in missing)}
    assert lacking == set()
    assert {k for k, missing in before.items() if not missing} <= {
        k for k, missing in after.items() if not missing
    }


@pytest.mark.parametrize("make", ["machine"])
def test_no_right_reaches_beyond_the_printed_commands(
    env: BoardEnv, make: str, request: pytest.FixtureRequest
) -> None:
    machine: Machine = request.getfixturevalue(make)
    enrol(machine)
    grant_generated_rights(machine)
    try:
        for command in ("/bin/sh", "/usr/bin/cat /etc/shadow", "/usr/bin/systemctl stop ssh"):
            done = machine.run_as_root(f"runuser -u {machine.account} -- sudo -n -l {command}")
            assert done.exit != 0, command
    finally:
        machine.must("rm /etc/sudoers.d/guardia")
