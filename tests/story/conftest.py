"""The full stack over a database of its own and the healed practice fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from full_stack import FullStack, open_full_stack, seed_full_stack

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Return the folder for the fleet's key."""
    return tmp_path / "secrets"


@pytest.fixture
def stack(database: Any, practice: RunningFleet, keys: Path) -> Iterator[FullStack]:
    """Open everything except the queue and the pages."""
    seed_full_stack(database.owner, database.app, practice, keys)
    with open_full_stack(database.app, practice, keys) as found:
        yield found
