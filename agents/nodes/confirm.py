"""Verify the whole plan: is the service as promised?"""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents.state import AgentContext, OperateState
from guardia.board.execution import grants, view
from guardia.i18n import t


def confirm(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Run the plan's own checks; if one fails, everything is undone."""
    context = runtime.context
    grant = grants.execution_grant(context.board, context.claim)
    plan = view.plan_state(context.board, context.claim.task_id).plan
    assert plan is not None
    failed = context.gate.first_failed(grant, plan.verify)
    if failed is not None:
        why = t("gate.verify", check=failed)
        return {"failed_at": len(plan.actions) - 1, "report": why}
    if not plan.actions:
        return {"ending": "completed", "report": plan.because}
    effects = "\n".join(f"- {a.effect}" for a in plan.actions)
    return {"ending": "completed", "report": t("agents.done", because=plan.because, did=effects)}
