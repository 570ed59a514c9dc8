"""How the vendors' own programs are called, with programs that print what the manuals quote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardia.errors import CommandFailed
from guardia.org.directory import Host, Service

pytestmark = pytest.mark.ssh
Ask = Callable[..., dict[str, Any]]
URL = "t3://127.0.0.1:7001"


@pytest.fixture
def host(sshd: Any, tmp_path: Path) -> Host:
    facts = {"kind": "http", "root": str(tmp_path), "start_seconds": 5}
    found: Host = sshd.host(
        Service.model_validate(facts | {"name": "jeus", "product": "jeus"}),
        Service.model_validate(facts | {"name": "wls", "product": "weblogic"}),
    )
    return found


def program(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_jeus_is_asked_with_one_word_and_without_a_password(
    ask: Ask, host: Host, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    program(tmp_path, "jeusadmin", f'echo "$#:$*" >> {log}; read -r answer || exit 0')
    ask("jeus.start", host, service="jeus", instance="server1")
    ask("jeus.stop", host, service="jeus", instance="server1")
    assert log.read_text().splitlines() == ["1:start-server server1", "1:stop-server server1"]


@pytest.mark.parametrize(
    "said",
    [
        "The server [server1] failed to start.",
        "java.lang.IllegalStateException: x",
        "Failed to authenticate the user: administrator",
    ],
)
def test_jeus_reports_an_error_and_exits_with_zero(
    ask: Ask, host: Host, tmp_path: Path, said: str
) -> None:
    program(tmp_path, "jeusadmin", f"echo '{said}'")
    with pytest.raises(CommandFailed, match=said.split(maxsplit=1)[0]):
        ask("jeus.start", host, service="jeus", instance="server1")


def test_weblogic_servers_by_their_state_files(ask: Ask, host: Host, tmp_path: Path) -> None:
    for name, state in (("m1", "RUNNING:Y:N"), ("m2", "SHUTDOWN:Y:N"), ("AdminServer", None)):
        folder = tmp_path / "servers" / name / "data" / "nodemanager"
        folder.mkdir(parents=True)
        if state:
            (folder / f"{name}.state").write_text(state + "\n")
    found = ask("weblogic.servers", host, service="wls")["servers"]
    assert [(s["name"], s["state"], s["running"]) for s in found] == [
        ("AdminServer", "UNKNOWN", False),
        ("m1", "RUNNING", False),
        ("m2", "SHUTDOWN", False),
    ]


@pytest.mark.slow
def test_weblogic_is_started_until_it_says_running(ask: Ask, host: Host, tmp_path: Path) -> None:
    state = "<Notice> <WebLogicServer> <BEA-000365> <Server state changed to RUNNING.>"
    program(tmp_path, "startManagedWebLogic.sh", f'echo "$*"; echo "{state}"; sleep 2')
    ask("weblogic.start", host, service="wls", instance="m1", admin_url=URL)
    assert (tmp_path / "servers/m1/logs/m1.out").read_text().startswith(f"m1 {URL}\n")


@pytest.mark.slow
def test_weblogic_that_ends_at_once_did_not_start(ask: Ask, host: Host, tmp_path: Path) -> None:
    out = tmp_path / "servers/m1/logs/m1.out"
    out.parent.mkdir(parents=True)
    out.write_text("<Server state changed to RUNNING.>\n")  # of the start before
    program(tmp_path, "startManagedWebLogic.sh", "echo '<BEA-090870> boot identity not valid'")
    with pytest.raises(CommandFailed, match="boot identity not valid"):
        ask("weblogic.start", host, service="wls", instance="m1", admin_url=URL)
