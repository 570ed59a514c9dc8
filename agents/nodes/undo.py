"""Undo what was done, in reverse order, each verified."""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents.state import Context, OperateState
from guardia.board.desk import Grant, record, view, work
from guardia.board.desk.record import Step
from guardia.board.plan import Action
from guardia.i18n import t
from guardia.tools.execute import Report, Result


def undo(state: OperateState, runtime: Runtime[Context]) -> OperateState:
    """FAILED_ROLLBACK when all is restored; people and an alert when something is not."""
    context = runtime.context
    grant = work.start(context.desk, context.hold)
    plan = view.plan_state(context.desk, context.hold.task_id).plan
    assert plan is not None and grant.plan_hash is not None
    tried = record.attempts(context.desk, context.hold, grant.plan_hash)
    restored: list[str] = []
    lost: list[str] = []
    for ordinal in range(len(plan.actions) - 1, -1, -1):
        if (ordinal, "do") not in tried:
            continue
        action = plan.actions[ordinal]
        report = _one(context, grant, ordinal, action, tried.get((ordinal, "undo")))
        (restored if report.result is Result.DONE else lost).append(_line(action, report))
    text = _text(state["report"], restored, lost)
    return {"ending": "emergency" if lost else "failed", "report": text}


def _one(
    context: Context, grant: Grant, ordinal: int, action: Action, before: str | None
) -> Report:
    if before is None:
        return context.gate.undo(grant, ordinal, action)
    if before == "DONE":
        return Report(Result.DONE)
    held = bool(action.undo_verify) and context.gate.failing(grant, action.undo_verify) is None
    if before == "INTENT":
        record.settle_unknown(context.desk, grant, Step(ordinal, "undo"), happened=held)
    return Report(Result.DONE if held else Result.FAILED, t("agents.unknown", ordinal=ordinal + 1))


def _line(action: Action, report: Report) -> str:
    return f"- {action.effect}" + (f" ({report.why})" if report.why else "")


def _text(why: str, restored: list[str], lost: list[str]) -> str:
    parts = [why]
    if restored:
        parts += [t("agents.restored"), *restored]
    if lost:
        parts += [t("agents.not_restored"), *lost]
    return "\n".join(parts)
