"""Commands in flight when their process is about to end."""

from __future__ import annotations

import pytest

from guardia.board.core.claims import Claim
from guardia.errors import Interrupted
from guardia.tools.inflight import InFlightCommands

HOLD = Claim(task_id=1, sr_id=1, agent_id="a", run_id=1, fence=1)


def test_close_ends_running_commands_and_refuses_new_ones() -> None:
    flight = InFlightCommands()
    with flight.track(HOLD) as first, flight.track(HOLD) as second:
        assert flight.active_count() == 2
        flight.close()
        assert first.is_set() and second.is_set()
        with pytest.raises(Interrupted), flight.track(HOLD):
            pass
    assert flight.active_count() == 0
