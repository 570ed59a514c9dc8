"""A failed deployment is seen by the oracle and healed."""

from __future__ import annotations

import pytest
from ssh_probe import SshProbe

from guardia.errors import Refused
from guardia.tools.lab.running_fleet import RunningFleet


@pytest.mark.slow
def test_a_failed_deploy_is_seen_and_healed(practice: RunningFleet, probe: SshProbe) -> None:
    service = practice.inventory.host("MOF-WAS-02").services[0]
    with pytest.raises(Refused, match=r"3\.1\.1"):
        practice.fault("failing-deploy")
    switch = f"ln -sfn releases/3.1.1 {service.root}/current; {service.control} restart"
    assert probe.run("MOF-WAS-02", switch).exit_status == 0
    finding = practice.oracle("failing-deploy")
    assert (finding.good, finding.evidence["status"]) == (False, 500)
    assert finding.evidence["version"] == "3.1.1"
    practice.heal("failing-deploy")
    assert practice.oracle("failing-deploy").evidence["version"] == "3.1.0"
