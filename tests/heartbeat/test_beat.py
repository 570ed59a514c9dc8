"""A beat of a worker that shuts down, or that must make room for requeued jobs."""

from __future__ import annotations

from typing import Any, NoReturn

from board_env import BoardEnv

from guardia.agents.team import WorkResult
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.issues import view
from guardia.board.runs import beats
from guardia.heartbeat.beat import beat


def no_team() -> NoReturn:
    raise AssertionError("a task that is not started needs no team")


def test_a_closing_worker_leaves_unstarted_tasks_to_the_next_one(env: BoardEnv) -> None:
    sr_id = env.create_issue()
    assert beat(env.board, no_team, "dispatcher", is_closing=lambda: True) == "idle"
    assert view.issue(env.board, sr_id).state is State.RECEIVED
    begun = beats.begin(env.board, "dispatcher")  # the next worker's
    assert begun is not None and begun.has_work
    claim = beats.claim_task(env.board, begun)
    assert claim is not None and claim.sr_id == sr_id


class QuickTeam:
    """A team that hands every task over to people."""

    def __init__(self, env: BoardEnv) -> None:
        self.env = env

    def work(self, _: Any, claim: Claim) -> WorkResult:
        tasks.hand_over(self.env.board, claim, "사람에게")
        return WorkResult("manual", 1)


def test_a_beat_ends_after_its_task_while_lost_jobs_wait_for_a_free_worker(
    env: BoardEnv,
) -> None:
    first, second = env.create_issue(), env.create_issue()
    team: Any = lambda: QuickTeam(env)  # noqa: E731
    assert beat(env.board, team, "dispatcher", should_yield=lambda: True) == "manual"
    states = [view.issue(env.board, n).state for n in (first, second)]
    assert states == [State.MANUAL, State.RECEIVED]
    # The remaining tasks are requeued behind the lost job.
    assert beat(env.board, team, "dispatcher") == "manual"
    assert view.issue(env.board, second).state is State.MANUAL
