"""Carry out the approved actions in order, each checked before and verified after."""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents.state import Context, OperateState
from guardia.board.desk import Grant, record, view, work
from guardia.board.desk.record import Step
from guardia.board.plan import Action
from guardia.i18n import t
from guardia.tools.execute import Report, Result


def apply(state: OperateState, runtime: Runtime[Context]) -> OperateState:
    """Do every action once, also across crashes: what was attempted is never attempted again."""
    context = runtime.context
    grant = work.start(context.desk, context.hold)
    plan = view.plan_state(context.desk, context.hold.task_id).plan
    assert plan is not None and grant.plan_hash is not None
    tried = record.attempts(context.desk, context.hold, grant.plan_hash)
    for ordinal, action in enumerate(plan.actions):
        before = tried.get((ordinal, "do"))
        report = _one(context, grant, ordinal, action, before)
        if report.result is Result.NOT_STARTED and ordinal == 0:
            return _not_started(context, grant, report.why)
        if report.result is not Result.DONE:
            return {"failed_at": ordinal, "report": report.why}
    return {}


def _one(
    context: Context, grant: Grant, ordinal: int, action: Action, before: str | None
) -> Report:
    if before is None:
        return context.gate.carry_out(grant, ordinal, action)
    if before == "DONE":
        return Report(Result.DONE)
    if before == "INTENT":
        return _after_crash(context, grant, ordinal, action)
    return Report(Result.FAILED, t("agents.attempted", ordinal=ordinal + 1))


def _after_crash(context: Context, grant: Grant, ordinal: int, action: Action) -> Report:
    """An intent without a result: read the server; never run it a second time."""
    step = Step(ordinal, "do")
    context.gate.quiet(grant, step)
    happened = bool(action.verify) and context.gate.failing(grant, action.verify) is None
    record.settle_unknown(context.desk, grant, step, happened=happened)
    if happened:
        return Report(Result.DONE)
    return Report(Result.FAILED, t("agents.unknown", ordinal=ordinal + 1))


def _not_started(context: Context, grant: Grant, why: str) -> OperateState:
    """Nothing was changed: the trouble may be gone by itself, else people must look."""
    plan = view.plan_state(context.desk, context.hold.task_id).plan
    assert plan is not None
    if plan.verify and context.gate.failing(grant, plan.verify) is None:
        return {"ending": "completed", "report": t("agents.gone_by_itself", why=why)}
    return {"ending": "manual", "report": t("agents.not_started", why=why)}
