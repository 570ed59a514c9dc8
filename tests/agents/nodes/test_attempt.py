"""A step runs at most once: earlier attempts, and what the server shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from board_env import LEAD, TERMINATE, BoardEnv, seeded_env

from guardia.agents.nodes import attempt
from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.core.claims import Grant
from guardia.board.core.plan import Check, ToolCall
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import PlanStep
from guardia.tools.gate import ActionReport, ActionStatus, Gate

DO = PlanStep(0, "do")
SHOWN = (
    Check(call=ToolCall(tool="database.locks", args={"service": "budgetdb"}), expect="`true`"),
)


@dataclass
class Server:
    """Fake gate that returns what would be found on the server."""

    shows: bool
    asked: list[str] = field(default_factory=list)

    def ensure_stopped(self, _grant: Grant, _step: PlanStep) -> None:
        self.asked.append("ensure_stopped")

    def first_failed(self, _grant: Grant, checks: tuple[Check, ...]) -> str | None:
        self.asked.append("looked")
        return None if self.shows else "not so"


@pytest.fixture
def env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        yield found


def inherited_grant(env: BoardEnv) -> Grant:
    """Return the grant of a worker that inherits a started step without result."""
    held, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    first = tasks.begin_execution(env.board, env.claim("db-agent"))
    commands.record_intent(env.board, first, TERMINATE, "psql …", DO)
    return grants.resume_execution(env.board, env.claim("db-agent"))


def attempt_step(
    env: BoardEnv, server: Server, before: str | None, proof: tuple[Check, ...] = SHOWN
) -> ActionReport:
    def run() -> ActionReport:
        server.asked.append("run")
        return ActionReport(ActionStatus.DONE)

    grant = inherited_grant(env)
    gate = cast("Gate", server)
    return attempt.run_once(env.board, gate, grant, DO, before, proof=proof, run=run)


def last_entry(env: BoardEnv) -> str:
    with env.board.database.reading() as session:
        return [link.kind for link in log.entries(session)][-1]


def test_a_step_proven_by_the_server_is_not_run_again(env: BoardEnv) -> None:
    server = Server(shows=True)
    assert attempt_step(env, server, "INTENT").result is ActionStatus.DONE
    assert server.asked == ["ensure_stopped", "looked"]
    assert last_entry(env) == "found_done"


@pytest.mark.parametrize("proof", [SHOWN, ()], ids=["not shown", "nothing would show it"])
def test_an_unproven_step_fails_and_is_not_run_again(
    env: BoardEnv, proof: tuple[Check, ...]
) -> None:
    server = Server(shows=False)
    report = attempt_step(env, server, "INTENT", proof)
    assert report.result is ActionStatus.FAILED and "1번째 조치" in report.why
    assert "run" not in server.asked and server.asked[0] == "ensure_stopped"
    assert last_entry(env) == "found_unknown"


def test_a_finished_step_is_not_run_again(env: BoardEnv) -> None:
    server = Server(shows=False)
    assert attempt_step(env, server, "DONE").result is ActionStatus.DONE
    assert server.asked == []


def test_a_step_that_was_never_started_is_run(env: BoardEnv) -> None:
    server = Server(shows=False)
    assert attempt_step(env, server, None).result is ActionStatus.DONE
    assert server.asked == ["run"]
