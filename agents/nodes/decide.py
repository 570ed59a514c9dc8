"""Apply the runbook's rules to the findings and file the resulting plan."""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents import procedure
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.plan import Citation, Plan, ToolCall
from guardia.board.execution import grants, tasks, view
from guardia.board.organization import agent_memory
from guardia.errors import Refused
from guardia.i18n import t


def decide(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Apply the first matching rule.

    It files a plan (without actions if there is nothing to do) or hands over. Without a rule the
    next candidate is tried. Runs from the start after a crash: a filed plan is not filed twice.
    """
    context = runtime.context
    runbook = context.library.runbook(state["runbook"] or "")
    host = context.gate.host(grants.grant_reads(context.board, context.claim))
    situation = procedure.Situation(
        host, host.service_of_kind(runbook.service or ""), state["params"], state["findings"]
    )
    _, questions = procedure.extract_parameters(runbook, state["text"])
    if questions:
        return {"ending": "manual", "report": " ".join(questions)}
    rule = procedure.first_matching_rule(runbook, situation)
    if rule is None:
        return _no_rule(state, runbook.title)
    incident = view.task(context.board, context.claim.task_id).kind == "INCIDENT"
    if rule.conclude == "hand_over" or (rule.conclude and incident):
        # Someone has reported an incident: finding nothing to do does not close it.
        words = procedure.rule_reason(rule, situation)
        return {"rule": rule.id, "ending": "manual", "report": words}
    try:
        plan = procedure.build_plan(
            runbook, rule, situation, Citation.model_validate(state["citation"])
        )
    except Refused as error:
        return {"rule": rule.id, "ending": "manual", "report": str(error)}
    return _file(state, context, rule.id, plan, runbook.action_type)


def _file(
    state: OperateState, context: AgentContext, rule: str, plan: Plan, action_type: str
) -> OperateState:
    filed = view.plan_state(context.board, context.claim.task_id)
    if not filed.is_current and filed.plan is not None and _calls_of(filed.plan) == _calls_of(plan):
        # A runbook has no alternatives: the requested changes must be planned by people.
        words = t("agents.same_plan", wanted=state.get("returned") or "")
        return {"rule": rule, "ending": "manual", "report": words}
    attempt = view.task(context.board, context.claim.task_id).attempt
    bound = tasks.plan_hash(context.claim.task_id, plan, attempt)
    if not filed.is_current or filed.plan_hash != bound:
        did = ", ".join(action.effect for action in plan.actions) or t("notes.nothing_to_do")
        agent_memory.write(
            context.board,
            context.claim,
            t("notes.planned", title=plan.citation.title, because=plan.because, did=did),
        )
        waived = tasks.file_plan(context.board, context.claim, plan, action_type=action_type)
        return {"rule": rule, "waived": waived}
    return {"rule": rule, "waived": filed.approved}


def _calls_of(plan: Plan) -> list[ToolCall]:
    """Return what would be done, without descriptions and figures."""
    return [action.call for action in plan.actions]


def _no_rule(state: OperateState, title: str) -> OperateState:
    if state["candidates"]:
        return {"rule": None}
    return {"rule": None, "ending": "manual", "report": t("agents.no_rule", title=title)}
