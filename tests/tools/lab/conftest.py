"""SSH access to the servers of the fleet."""

from __future__ import annotations

import pytest
from ssh_probe import SshProbe

from guardia.tools.lab.running_fleet import RunningFleet


@pytest.fixture
def probe(fleet: RunningFleet) -> SshProbe:
    return SshProbe(fleet)
