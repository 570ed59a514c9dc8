"""Skip what the kernel of this machine cannot do."""

from __future__ import annotations

import pytest

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.fixture
def volume(fleet: RunningFleet) -> None:
    """Skip the test on a machine whose kernel mounts no volume for the fleet."""
    if not fleet.inventory.volumes:
        pytest.skip("the kernel mounts no volume here")
