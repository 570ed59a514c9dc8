"""An approved plan from start to end: how often it is verified and signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from board_env import LEAD, BoardEnv, action, plan
from full_stack import LIBRARY
from rules_env import add
from signing_env import SilentNotary

from guardia.agents import graph
from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.state import AgentContext
from guardia.board.approvals import decisions, proofs
from guardia.board.core.claims import Claim, Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Action, Check
from guardia.board.execution import commands, view
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.tools.gate import ActionReport, ActionStatus, Gate

TWO_ACTIONS = plan(
    "MAINTENANCE", action(), action().model_copy(update={"effect": "세션 7을 다시 봅니다."})
)


@dataclass
class RecordingGate:
    """Records each change without a server; `fails` names the action that fails."""

    board: BoardContext
    fails: int | None = None
    changes: list[tuple[int, str]] = field(default_factory=list)

    def execute(self, grant: Grant, ordinal: int, one: Action) -> ActionReport:
        step = PlanStep(ordinal, "do")
        intent = commands.record_intent(self.board, grant, one.call, "psql …", step)
        done = ordinal != self.fails
        commands.record_result(self.board, intent, CommandResult(done, {}, "", 1))
        self.changes.append((ordinal, "do"))
        return ActionReport(ActionStatus.DONE if done else ActionStatus.FAILED)

    def undo(self, _grant: Grant, ordinal: int, one: Action) -> ActionReport:
        self.changes.append((ordinal, "undo"))
        return ActionReport(ActionStatus.FAILED, one.irreversible or "")

    def first_failed(self, _grant: Grant, _checks: tuple[Check, ...]) -> None:
        return None


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the tasks whose approvals are verified, one entry per verification."""
    found: list[int] = []
    original = proofs.are_proven

    def counted(session: Any, signer: Any, task: Any, *rest: Any) -> bool:
        found.append(task.task_id)
        return original(session, signer, task, *rest)

    monkeypatch.setattr(proofs, "are_proven", counted)
    return found


def execute(env: BoardEnv, gate: RecordingGate, claim: Claim) -> State:
    context = AgentContext(env.board, cast("Gate", gate), LIBRARY, EmbeddedBrain(), claim, ())
    graph.execution_graph().invoke({}, context=context)
    return view.task(env.board, claim.task_id).state


def approved(env: BoardEnv) -> Claim:
    held, _, bound = env.create_filed_plan(TWO_ACTIONS)
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    return env.claim("db-agent")


def signatures(env: BoardEnv) -> int:
    """Count the checkpoints that have been requested so far."""
    assert isinstance(env.board.notary, SilentNotary)
    return env.board.notary.asked


def test_a_plan_is_signed_once_and_verified_at_its_start_and_before_each_change(
    env: BoardEnv, proven: list[int]
) -> None:
    claim = approved(env)
    gate = RecordingGate(env.board)
    proven.clear()
    before = signatures(env)
    assert execute(env, gate, claim) is State.COMPLETED
    assert gate.changes == [(0, "do"), (1, "do")]
    assert signatures(env) == before + 1
    assert len(proven) == 1 + len(gate.changes)


def test_undo_does_not_sign_again(env: BoardEnv, proven: list[int]) -> None:
    claim = approved(env)
    gate = RecordingGate(env.board, fails=1)
    proven.clear()
    before = signatures(env)
    assert execute(env, gate, claim) is State.MANUAL
    assert gate.changes == [(0, "do"), (1, "do"), (1, "undo"), (0, "undo")]
    assert signatures(env) == before + 1
    assert len(proven) == 1 + 2


def test_a_rule_made_after_the_approval_gives_the_plan_to_people(env: BoardEnv) -> None:
    claim = approved(env)
    add(env.board, "look-only", {"kind": "investigate"})
    gate = RecordingGate(env.board)
    assert execute(env, gate, claim) is State.MANUAL
    assert gate.changes == []
