"""The seeded board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audit_env import Sealed, sealing
from cast import Cast


@pytest.fixture
def sealed(cast: Cast, database: Any, tmp_path: Path) -> Sealed:
    """The same board with a notary, copies outside and a superuser who attacks."""
    return sealing(cast, database.superuser, tmp_path)
