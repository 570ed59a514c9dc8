"""Load and memory of a real host, over real SSH."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.ssh


def test_load_of_the_host(ask: Callable[..., dict[str, Any]], sshd: Any) -> None:
    found = ask("host.load", sshd.host())
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert abs(found["load1"] - os.getloadavg()[0]) < 1
    assert 0 < found["memory_percent"] < 100
