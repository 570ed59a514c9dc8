"""The seeded board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import Cast, seated
from sealing import Sealed, sealing


@pytest.fixture
def cast(database: Any) -> Iterator[Cast]:
    """The shipped chart, people and servers over a database of its own."""
    with seated(database.app) as board:
        yield board


@pytest.fixture
def sealed(cast: Cast, database: Any, tmp_path: Path) -> Sealed:
    """The same board with a notary, copies outside and a superuser who attacks."""
    return sealing(cast, database.superuser, tmp_path)
