"""Fixtures for the adapters."""

from __future__ import annotations

import asyncio.base_events

import pytest
from waiting import SettableClock


@pytest.fixture
def loop_clock(monkeypatch: pytest.MonkeyPatch) -> SettableClock:
    """The clock of all event loops; advancing it wakes what waits for a time."""
    clock = SettableClock()
    monkeypatch.setattr(asyncio.base_events, "time", clock)
    return clock
