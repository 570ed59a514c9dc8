"""A server for a single test, and a clock that a test can advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from waiting import SettableClock

from guardia.tools.transport import channel


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SettableClock:
    """The clock by which commands time out."""
    found = SettableClock()
    monkeypatch.setattr(channel, "time", found)
    return found


@pytest.fixture
def own(start_sshd: Callable[..., Any]) -> Any:
    """A server for this test alone."""
    return start_sshd()
