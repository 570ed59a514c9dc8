"""The fleet's servers over SSH."""

from __future__ import annotations

import pytest
from ssh_probe import Reach

from guardia.tools.lab.running import RunningFleet


@pytest.fixture
def reach(fleet: RunningFleet) -> Reach:
    return Reach(fleet)
