"""Fixtures for tools: a real sshd, kept connections to it, and a call of one tool."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openssh_server import OpenSSH, free_port
from practice_service import PracticeService

from guardia.board.core.plan import ToolCall
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.output import Output
from guardia.tools.transport.connections import Connections


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A private folder with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def start_sshd(short_folder: Path) -> Iterator[Callable[..., Any]]:
    """Start further servers, which are stopped at the end of the run."""
    servers: list[Any] = []

    def start(**options: Any) -> Any:
        servers.append(OpenSSH(short_folder / f"sshd-{len(servers)}", **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def login_folder() -> Iterator[Path]:
    """Hold the folder in which each session of this account begins, against other processes."""
    name = f"guardia-test-login-{os.getuid()}.lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Path.home()


@pytest.fixture(scope="session")
def sshd(start_sshd: Callable[..., Any]) -> Any:
    """Start the server that most tests share."""
    return start_sshd()


@pytest.fixture(scope="session")
def connections(sshd: Any) -> Iterator[Connections]:
    """Kept connections to the shared server."""
    with Connections(sshd) as kept:
        yield kept


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[PracticeService]:
    """A real HTTP service that runs release 3.1.0; 3.1.1 is staged and broken."""
    service = PracticeService(tmp_path, free_port())
    service.start()
    yield service
    service.stop()


ReadFindings = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def ask(connections: Connections) -> ReadFindings:
    """Call `ask(tool, host, **args)` to get a tool's findings over SSH, as through the gate."""

    def call(tool_name: str, host: Host, /, **args: Any) -> dict[str, Any]:
        tool, _, command = planning.prepare(ToolCall(tool=tool_name, args=args), host)
        output: Output = connections.run(host, command, timeout=tool.timeout)
        findings: dict[str, Any] = tool.parse(output)
        return findings

    return call
