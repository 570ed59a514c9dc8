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


def test_what_a_closing_worker_has_not_begun_goes_to_the_next_one(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    assert beat(env.desk, nobody, "dispatcher", closing=lambda: True) == "idle"
    assert view.issue(env.desk, sr_id).state is State.RECEIVED
    begun = beats.begin(env.desk, "dispatcher")  # the next worker's
    assert begun is not None and begun.has_work
    claim = beats.claim_task(env.desk, begun)
    assert claim is not None and claim.sr_id == sr_id


class Quick:
    """A team that hands everything to people."""

    def __init__(self, env: BoardEnv) -> None:
        self.env = env

    def work(self, _: Any, claim: Claim) -> WorkResult:
        tasks.hand_over(self.env.desk, claim, "사람에게")
        return WorkResult("manual", 1)


def test_a_beat_makes_room_after_its_task_while_lost_work_waits_for_a_free_hand(
    env: BoardEnv,
) -> None:
    first, second = env.create_issue(), env.create_issue()
    team: Any = lambda: Quick(env)  # noqa: E731
    assert beat(env.desk, team, "dispatcher", yielding=lambda: True) == "manual"
    states = [view.issue(env.desk, n).state for n in (first, second)]
    assert states == [State.MANUAL, State.RECEIVED]
    # The rest comes back by itself, behind what was lost.
    assert beat(env.desk, team, "dispatcher") == "manual"
    assert view.issue(env.desk, second).state is State.MANUAL
