"""A server with SFTP, and calls of tools on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_env import Contents, Deployer

from guardia.tools.transport.connections import Connections


@pytest.fixture(scope="package")
def sftp_server(start_sshd: Callable[..., Any]) -> Any:
    """Start a server with SFTP."""
    return start_sshd(more="Subsystem sftp internal-sftp")


@pytest.fixture
def deployer(sftp_server: Any, login_folder: Path) -> Iterator[Callable[..., Deployer]]:
    """Return a function: `deployer(service)` deploys to a server with that service."""
    contents = Contents()
    with Connections(sftp_server, contents=contents) as connections:
        yield lambda *services: Deployer(sftp_server.host(*services), connections, contents)
