"""Servers on which something is missing, over real SSH: one finding says what."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

from guardia.errors import CommandFailed
from guardia.tools.command import Command, Script
from guardia.tools.output import Output, missing_program, require_success
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

GUARD = FenceGuard("guardia:7:0123456789ab:0:do", lambda: None)
PROGRAMS = (
    "base64", "bash", "cat", "grep", "head", "mkdir", "readlink", "rmdir", "setsid", "sh", "sleep",
    "timeout", "touch",
)  # fmt: skip
TOUCH = Script("test.touch", 'cat > "$1"')


@pytest.fixture
def run_without(start_sshd: Callable[..., Any], tmp_path: Path) -> Callable[..., Output]:
    """Run a command on a server that has all programs but one."""

    def run(missing: str, command: Command, guard: FenceGuard | None = None) -> Output:
        places = tmp_path / "bin"
        places.mkdir()
        for name in PROGRAMS:
            if name != missing and (found := shutil.which(name)):
                (places / name).symlink_to(found)
        server = start_sshd(environment={"PATH": str(places)})
        with Connections(server) as connections:
            return connections.run(server.host(), command, timeout=PATIENCE, fence_guard=guard)

    return run


@pytest.mark.parametrize("missing", ["setsid", "timeout", "bash", "base64", "head"])
def test_what_is_missing_is_named_and_nothing_starts(
    run_without: Callable[..., Output], tmp_path: Path, missing: str
) -> None:
    made = tmp_path / "made"
    command = Command.script(TOUCH, str(made)).with_input("text")
    output = run_without(missing, command, GUARD)
    with pytest.raises(CommandFailed, match=f"{missing} 프로그램이 없거나"):
        require_success("test", output)
    assert not made.exists()


def test_a_server_with_just_these_programs_suffices(
    run_without: Callable[..., Output], tmp_path: Path
) -> None:
    made = tmp_path / "made"
    output = run_without("", Command.script(TOUCH, str(made)).with_input("text"), GUARD)
    assert output.exit == 0, output
    assert made.read_text() == "text"


def test_no_command_needs_a_place_to_write(start_sshd: Callable[..., Any]) -> None:
    """Tools that look for a full or read-only disk run there too."""
    server = start_sshd(environment={"TMPDIR": "/proc", "HOME": "/proc"})
    command = Command.script(Script("test.echo", "echo there")).with_input("x" * 100_000)
    with Connections(server) as connections:
        output = connections.run(server.host(), command, timeout=PATIENCE, fence_guard=GUARD)
    assert (output.exit, output.stdout, output.stderr) == (0, "there\n", "")


@pytest.mark.parametrize(
    ("said", "program"),
    [
        ("guardia: 1: exec: setsid: not found", "setsid"),
        ("guardia: line 1: exec: setsid: not found", "setsid"),
        ("sh: exec: line 0: setsid: not found", "setsid"),
        ("setsid: failed to execute timeout: No such file or directory", "timeout"),
        ("setsid: can't execute 'timeout': No such file or directory", "timeout"),
        ("timeout: failed to run command ‘psql’: No such file or directory", "psql"),
        ("timeout: failed to run command 'psql': No such file or directory", "psql"),
        ("timeout: 명령 'psql' 실행 실패: 그런 파일이나 디렉터리가 없습니다", "psql"),
        ("test.x: line 3: psql: command not found", "psql"),
        ("first\nbash: /opt/db2/bin/db2: command not found\n", "/opt/db2/bin/db2"),
        ("ls: cannot access '/x': No such file or directory", ""),
        ("page not found", ""),
        ("", ""),
    ],
)
def test_every_wording_of_a_missing_program_is_known(said: str, program: str) -> None:
    assert missing_program(said) == program
