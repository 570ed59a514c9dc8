"""A server that does not answer delays no other work of the same beat."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from board_env import BoardEnv, assignment
from waiting import PATIENCE

from guardia.agents.team import WorkResult
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, commands, tasks
from guardia.board.issues import view
from guardia.board.runs import beats as runs
from guardia.heartbeat import lanes
from guardia.heartbeat.beat import beat


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "ALONE_SECONDS", 0.05)


class WaitingTeam:
    """A team whose first task waits for its server until every other task has ended."""

    def __init__(self, env: BoardEnv, others: int, error: Exception | None = None) -> None:
        self.env, self.others, self.error = env, others, error
        self.first: Claim | None = None
        self.ended = threading.Semaphore(0)
        self.order: list[int] = []

    def work(self, _: Any, claim: Claim) -> WorkResult:
        if self.first is None:
            self.first = claim
            for _ in range(self.others):
                assert self.ended.acquire(timeout=PATIENCE)
            commands.require_current(self.env.board, claim)  # no later claim has taken it
            if self.error is not None:
                raise self.error
        tasks.hand_over(self.env.board, claim, "사람에게")
        self.order.append(claim.sr_id)
        self.ended.release()
        return WorkResult("manual", 1)


def parsed(env: BoardEnv, count: int) -> list[int]:
    """Create issues whose tasks wait for the database specialist."""
    numbers = [env.create_issue() for _ in range(count)]
    for _ in numbers:
        assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    return numbers


@pytest.mark.slow
def test_tasks_go_on_beside_one_whose_server_is_silent(env: BoardEnv) -> None:
    numbers = parsed(env, 6)
    team = WaitingTeam(env, others=5)
    assert beat(env.board, lambda: team, "db-agent") == "manual"  # type: ignore[arg-type,return-value]
    assert [view.issue(env.board, n).state for n in numbers] == [State.MANUAL] * 6
    assert team.first is not None and team.order[-1] == team.first.sr_id


@pytest.mark.slow
def test_an_error_beside_the_beat_is_not_lost(env: BoardEnv) -> None:
    parsed(env, 2)
    team = WaitingTeam(env, others=1, error=RuntimeError("x"))
    with pytest.raises(RuntimeError):
        beat(env.board, lambda: team, "db-agent")  # type: ignore[arg-type,return-value]


@pytest.mark.slow
def test_a_takeover_keeps_its_claim_while_it_looks_for_pre_checks(env: BoardEnv) -> None:
    """After a lost run the beat looks for pre-checks that are due, beside the running task."""
    parsed(env, 2)
    assert runs.begin(env.board, "db-agent") is not None  # and its worker dies
    team = WaitingTeam(env, others=1)
    assert beat(env.board, lambda: team, "db-agent") == "manual"  # type: ignore[arg-type,return-value]
    assert len(team.order) == 2
