"""One beat of a worker that is to end."""

from __future__ import annotations

from typing import NoReturn

from cast import Cast

from guardia.board.desk import view, waking
from guardia.board.lifecycle import State
from guardia.heartbeat.beat import beat


def nobody() -> NoReturn:
    raise AssertionError("no team is needed for what is not begun")


def test_what_a_closing_worker_has_not_begun_goes_to_the_next_one(cast: Cast) -> None:
    sr_id = cast.received()
    assert beat(cast.desk, nobody, "dispatcher", closing=lambda: True) == "idle"
    assert view.issue(cast.desk, sr_id).state is State.RECEIVED
    begun = waking.begin(cast.desk, "dispatcher")  # the next worker's
    assert begun is not None and begun.works
    hold = waking.claim(cast.desk, begun)
    assert hold is not None and hold.sr_id == sr_id
