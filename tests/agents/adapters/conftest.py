"""The seeded board."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cast import Cast, seated


@pytest.fixture
def cast(database: Any) -> Iterator[Cast]:
    """The shipped chart, people and servers over a database of its own."""
    with seated(database.app) as board:
        yield board
