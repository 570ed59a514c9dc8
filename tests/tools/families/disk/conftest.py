"""A service whose logs are on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from log_files import service_of

from guardia.org.directory import Host


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "srv" / "logs").mkdir(parents=True)
    return tmp_path / "srv"


@pytest.fixture
def host(sshd: Any, root: Path) -> Host:
    found: Host = sshd.host(service_of(root))
    return found
