"""Fixtures of the tools room: a real sshd, kept connections to it, and one call to a tool."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guardia.board.core.plan import ToolCall
from guardia.org.directory import Host
from guardia.tools import planning
from guardia.tools.output import Output
from guardia.tools.transport.connections import Connections


def _load_sibling(name: str) -> ModuleType:
    """A helper module of this folder; tests are not a package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


openssh = _load_sibling("openssh")
practice = _load_sibling("practice")


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
        servers.append(openssh.OpenSSH(short_folder / f"sshd-{len(servers)}", **options))
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
def budget(tmp_path: Path) -> Iterator[Any]:
    """A real HTTP service, running release 3.1.0; 3.1.1 is staged and broken."""
    service = practice.Practice(tmp_path, openssh.free_port())
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
