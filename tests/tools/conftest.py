"""Fixtures of the tools room: a real sshd, kept connections to it, and one call to a tool."""

from __future__ import annotations

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
    """A short private folder, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def start_sshd(short_folder: Path) -> Iterator[Callable[..., Any]]:
    """Starts further servers; all are ended with the run."""
    servers: list[Any] = []

    def start(**options: Any) -> Any:
        servers.append(OpenSSH(short_folder / f"sshd-{len(servers)}", **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def sshd(start_sshd: Callable[..., Any]) -> Any:
    """The server that most tests share."""
    return start_sshd()


@pytest.fixture(scope="session")
def connections(sshd: Any) -> Iterator[Connections]:
    """Kept connections to it."""
    with Connections(sshd) as kept:
        yield kept


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[PracticeService]:
    """A real HTTP service, running release 3.1.0; 3.1.1 is staged and broken."""
    service = PracticeService(tmp_path, free_port())
    service.start()
    yield service
    service.stop()


ReadFindings = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def ask(connections: Connections) -> ReadFindings:
    """``ask(tool, host, **args)``: what a tool finds, over SSH, as the gate would run it."""

    def call(tool_name: str, host: Host, /, **args: Any) -> dict[str, Any]:
        tool, _, command = planning.prepare(ToolCall(tool=tool_name, args=args), host)
        output: Output = connections.run(host, command, timeout=tool.timeout)
        findings: dict[str, Any] = tool.parse(output)
        return findings

    return call
