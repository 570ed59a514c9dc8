"""One beat of a worker that is to end, or to make room for what another one lost."""

from __future__ import annotations

from typing import Any, NoReturn

from board_env import BoardEnv

from guardia.agents.team import WorkResult
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks, view
from guardia.board.runs import beats
from guardia.heartbeat.beat import beat


def nobody() -> NoReturn:
    raise AssertionError("no team is needed for what is not begun")


def test_what_a_closing_worker_has_not_begun_goes_to_the_next_one(cast: BoardEnv) -> None:
    sr_id = cast.received()
    assert beat(cast.desk, nobody, "dispatcher", closing=lambda: True) == "idle"
    assert view.issue(cast.desk, sr_id).state is State.RECEIVED
    begun = beats.begin(cast.desk, "dispatcher")  # the next worker's
    assert begun is not None and begun.works
    hold = beats.claim_task(cast.desk, begun)
    assert hold is not None and hold.sr_id == sr_id


class Quick:
    """A team that hands everything to people."""

    def __init__(self, cast: BoardEnv) -> None:
        self.cast = cast

    def work(self, _: Any, hold: Claim) -> WorkResult:
        tasks.hand_over(self.cast.desk, hold, "사람에게")
        return WorkResult("manual", 1)


def test_a_beat_makes_room_after_its_task_while_lost_work_waits_for_a_free_hand(
    cast: BoardEnv,
) -> None:
    first, second = cast.received(), cast.received()
    team: Any = lambda: Quick(cast)  # noqa: E731
    assert beat(cast.desk, team, "dispatcher", yielding=lambda: True) == "manual"
    states = [view.issue(cast.desk, n).state for n in (first, second)]
    assert states == [State.MANUAL, State.RECEIVED]
    # The rest comes back by itself, behind what was lost.
    assert beat(cast.desk, team, "dispatcher") == "manual"
    assert view.issue(cast.desk, second).state is State.MANUAL
