"""Carry out the approved actions in order, each checked before and verified after."""

from __future__ import annotations

from functools import partial

from langgraph.runtime import Runtime

from guardia.agents.nodes.attempt import run_once
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Grant
from guardia.board.execution import commands, grants, tasks, view
from guardia.board.execution.commands import PlanStep
from guardia.i18n import t
from guardia.tools.gate import ActionStatus


def apply(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Run every action once, even across crashes: an attempted action is never attempted again."""
    context = runtime.context
    board, gate = context.board, context.gate
    filed = view.plan_state(board, context.claim.task_id)
    enter = tasks.begin_execution if filed.approved else grants.resume_execution
    grant, plan = enter(board, context.claim), filed.plan
    assert plan is not None and grant.plan_hash is not None
    tried = commands.attempted_actions(board, context.claim, grant.plan_hash)
    for ordinal, action in enumerate(plan.actions):
        before = tried.get((ordinal, "do"))
        report = run_once(
            board,
            gate,
            grant,
            PlanStep(ordinal, "do"),
            before,
            # A failed action stays failed, whatever the server shows later.
            proof=action.verify if before == "INTENT" else (),
            run=partial(gate.execute, grant, ordinal, action),
        )
        if report.result is ActionStatus.NOT_STARTED and ordinal == 0:
            return _not_started(context, grant, report.why)
        if report.result is not ActionStatus.DONE:
            return {"failed_at": ordinal, "report": report.why}
    return {}


def _not_started(context: AgentContext, grant: Grant, why: str) -> OperateState:
    """End without changes: completed if the problem is gone by itself, or handed to people."""
    plan = view.plan_state(context.board, context.claim.task_id).plan
    assert plan is not None
    if plan.verify and context.gate.first_failed(grant, plan.verify) is None:
        return {"ending": "completed", "report": t("agents.gone_by_itself", why=why)}
    return {"ending": "manual", "report": t("agents.not_started", why=why)}
