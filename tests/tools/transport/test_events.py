"""Events without lost wake-ups or endless waits."""

from __future__ import annotations

import pytest
from waiting import hang_guard

from guardia.tools.transport.events import BoundedEvent, PipeEvent


def test_an_empty_pipe_does_not_clear_the_event_of_the_other() -> None:
    wake = PipeEvent()
    wake.set()
    wake.clear()
    assert wake.is_set()
    wake.rearm()
    assert not wake.is_set()


def test_the_wait_is_bounded() -> None:
    with hang_guard("the event's own limit ends the wait"), pytest.raises(TimeoutError):
        BoundedEvent(0.05).wait()


def test_a_set_event_is_not_waited_for() -> None:
    event = BoundedEvent(0.05)
    event.set()
    assert event.wait()
