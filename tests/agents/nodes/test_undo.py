"""What is undone, and what is known to have had no effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from board_env import LEAD, BoardEnv, action, plan

from guardia.agents.nodes.undo import undo_actions
from guardia.board.approvals import decisions
from guardia.board.core.claims import Grant
from guardia.board.core.plan import Action, Check, Plan, ToolCall
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import CommandResult, PlanStep
from guardia.tools.gate import ActionReport, ActionStatus, FailedCheck, Gate

STILL_THERE = Check(call=ToolCall(tool="database.locks", args={"service": "x"}), expect="waiting")
IRREVERSIBLE = action().model_copy(
    update={"undo": None, "irreversible": "종료한 세션", "precheck": (STILL_THERE,)}
)


@dataclass
class LookingGate:
    """Answers checks as if the server were `unchanged` or not; undoes nothing."""

    unchanged: bool
    undone: list[int] = field(default_factory=list)

    def first_failed(self, _grant: Grant, checks: tuple[Check, ...]) -> FailedCheck | None:
        return None if self.unchanged else FailedCheck(checks[0], None)

    def undo(self, _grant: Grant, ordinal: int, one: Action) -> ActionReport:
        self.undone.append(ordinal)
        return ActionReport(ActionStatus.FAILED, one.irreversible or "")


def failed(env: BoardEnv, attempted: Plan) -> Grant:
    """Return the grant of a plan whose first action was attempted and failed."""
    held, _, bound = env.create_filed_plan(attempted)
    decisions.decide(env.board, LEAD, held.task_id, approve=True, plan_hash=bound)
    claim = env.claim("db-agent")
    tasks.begin_execution(env.board, claim)
    grant = grants.execution_grant(env.board, claim)
    intent = commands.record_intent(
        env.board, grant, attempted.actions[0].call, "psql …", PlanStep(0, "do")
    )
    result = CommandResult(False, {}, "ERROR:  permission denied", 1)
    commands.record_result(env.board, intent, result)
    return grant


@pytest.mark.parametrize("unchanged", [True, False])
@pytest.mark.slow
def test_a_refused_irreversible_action_is_lost_only_if_the_server_changed(
    env: BoardEnv, unchanged: bool
) -> None:
    attempted = plan("MAINTENANCE", IRREVERSIBLE)
    gate = LookingGate(unchanged)
    done = undo_actions(env.board, cast("Gate", gate), failed(env, attempted), attempted)
    assert (len(done.restored), len(done.failed)) == ((1, 0) if unchanged else (0, 1))
    assert gate.undone == ([] if unchanged else [0])
