"""Registry of the faults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardia.tools.lab.faults.base import Fault
from guardia.tools.lab.faults.failing_deploy import FailingDeploy
from guardia.tools.lab.faults.full_volume import FullVolume
from guardia.tools.lab.faults.hung_was import HungWas
from guardia.tools.lab.faults.lock_chain import LockChain

_FAULTS: tuple[type[Fault], ...] = (
    LockChain,
    HungWas,
    FullVolume,
    FailingDeploy,
)

FAULTS: Mapping[str, type[Fault]] = MappingProxyType({fault.name: fault for fault in _FAULTS})
"""All faults by name, in the order in which they are listed."""
