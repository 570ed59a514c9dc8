"""Events without lost wake-ups or endless waits."""

from __future__ import annotations

import pytest
from waiting import hang_guard

from guardia.tools.transport.events import BoundedEvent, PipeEvent


def test_a_pipe_that_ran_empty_does_not_silence_the_other() -> None:
    wake = PipeEvent()
    wake.set()
    wake.clear()
    assert wake.is_set()
    wake.rearm()
    assert not wake.is_set()


def test_nobody_waits_endlessly() -> None:
    with hang_guard("the event's own limit ends the wait"), pytest.raises(TimeoutError):
        BoundedEvent(0.05).wait()


def test_what_has_come_is_not_waited_for() -> None:
    event = BoundedEvent(0.05)
    event.set()
    assert event.wait()
