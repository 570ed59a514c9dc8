"""Fixtures of the adapters' tests."""

from __future__ import annotations

import asyncio.base_events

import pytest
from waiting import SettableClock


@pytest.fixture
def loop_clock(monkeypatch: pytest.MonkeyPatch) -> SettableClock:
    """The clock of all event loops: what waits for a moment wakes when it is put forward."""
    clock = SettableClock()
    monkeypatch.setattr(asyncio.base_events, "time", clock)
    return clock
