"""Carry out the approved actions in order, each checked before and verified after."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from langgraph.runtime import Runtime

from guardia.agents.nodes.attempt import run_once
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.claims import Grant
from guardia.board.core.plan import Plan
from guardia.board.execution import commands, grants, rule_check, tasks, view
from guardia.board.execution.commands import PlanStep
from guardia.errors import CommandFailed, Refused, RuleBroken, Unreachable
from guardia.i18n import t
from guardia.tools.gate import ActionReport, ActionStatus


def apply(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Run every action once, even across crashes: an attempted action is never attempted again."""
    context = runtime.context
    board, gate = context.board, context.gate
    filed = view.plan_state(board, context.claim.task_id)
    enter = tasks.begin_execution if filed.approved else grants.resume_execution
    try:
        grant, plan = enter(board, context.claim), filed.plan
    except RuleBroken as error:  # made after the approval, or for a plan of a person
        return {"ending": "manual", "report": str(error)}
    assert plan is not None and grant.plan_hash is not None
    tried = commands.attempted_actions(board, context.claim, grant.plan_hash)
    for ordinal, action in enumerate(plan.actions):
        before = tried.get((ordinal, "do"))
        try:
            report = run_once(
                board,
                gate,
                grant,
                PlanStep(ordinal, "do"),
                before,
                # A failed action stays failed, whatever the server shows later.
                proof=action.verify if before == "INTENT" else (),
                run=partial(_execute, context, grant, plan, ordinal),
            )
        except RuleBroken as error:
            if ordinal == 0:
                return {"ending": "manual", "report": str(error)}
            return {"failed_at": ordinal, "report": str(error)}
        if report.result is ActionStatus.NOT_STARTED and ordinal == 0:
            return _not_started(context, grant, report.why)
        if report.result is not ActionStatus.DONE:
            return {"failed_at": ordinal, "report": report.why}
    return {}


def _execute(context: AgentContext, grant: Grant, plan: Plan, ordinal: int) -> ActionReport:
    """Run the reads that rules of the site demand before an action, and the action."""
    board, task_id = context.board, context.claim.task_id
    for call in rule_check.required_reads(board, task_id, plan, ordinal):
        # Without the read, or if its findings do not suffice, the board refuses the action.
        with suppress(CommandFailed, Unreachable, Refused):
            context.gate.read(grant, call)
    return context.gate.execute(grant, ordinal, plan.actions[ordinal])


def _not_started(context: AgentContext, grant: Grant, why: str) -> OperateState:
    """End without changes: completed if the problem is gone by itself, or handed to people."""
    plan = view.plan_state(context.board, context.claim.task_id).plan
    assert plan is not None
    if plan.verify and context.gate.first_failed(grant, plan.verify) is None:
        return {"ending": "completed", "report": t("agents.gone_by_itself", why=why)}
    return {"ending": "manual", "report": t("agents.not_started", why=why)}
