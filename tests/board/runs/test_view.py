"""The list of runs, as page and command line show it."""

from __future__ import annotations

from board_env import LEAD, BoardEnv

from guardia.board.approvals import decisions
from guardia.board.core import wakes
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.runs import beats, view


def woken(env: BoardEnv, count: int) -> None:
    for number in range(count):
        with env.board.database.transaction() as session:
            cause = {"comment": number}
            wakes.wake(session, "was-agent", WakeReason.MENTION, env.board.clock(), cause=cause)
        beats.begin(env.board, "was-agent")


def numbers(listing: view.RunList) -> list[int]:
    return [row.run_id for row in listing.rows]


def test_pages_follow_each_other_without_gap_or_repeat(env: BoardEnv) -> None:
    woken(env, 7)
    first = view.list_runs(env.board, view.RunQuery(size=3))
    second = view.list_runs(env.board, view.RunQuery(size=3, before=first.older))
    third = view.list_runs(env.board, view.RunQuery(size=3, before=second.older))
    assert [*numbers(first), *numbers(second), *numbers(third)] == [7, 6, 5, 4, 3, 2, 1]
    assert first.newer is None and third.older is None
    back = view.list_runs(env.board, view.RunQuery(size=3, after=third.newer))
    assert numbers(back) == numbers(second)
    # The page at the newest end is filled up rather than left short.
    newest = view.list_runs(env.board, view.RunQuery(size=3, after=first.rows[1].run_id))
    assert (numbers(newest), newest.newer) == (numbers(first), None)
    assert view.list_runs(env.board, view.RunQuery(agent="db-agent")).rows == ()


def test_a_row_shows_causes_task_and_outcome(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, claim.task_id, approve=True, plan_hash=bound)
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    lasting = view.list_runs(env.board, view.RunQuery(agent="db-agent")).rows[0]
    assert lasting.outcome is None and lasting.duration is None
    beats.end(env.board, begun, "COMPLETED", task_id=claim.task_id, steps=4)
    row = view.list_runs(env.board, view.RunQuery(agent="db-agent")).rows[0]
    assert (row.agent, row.sr_id, row.outcome, row.revision) == ("DB 전문가", 1, "COMPLETED", 1)
    assert (
        "approval_decided",
        (("issue", 1), ("decision", 1), ("verdict", "approve")),
    ) in row.reasons
    assert row.duration is not None and row.duration.total_seconds() >= 0
