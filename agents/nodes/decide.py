"""Apply the runbook's rules to the findings and file the resulting plan."""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents import change_request, plan_guard, procedure
from guardia.agents.prechecks import run_prechecks
from guardia.agents.state import AgentContext, OperateState
from guardia.board.approvals import start_time
from guardia.board.core.lifecycle import State
from guardia.board.core.plan import Citation, Plan
from guardia.board.core.planner import ReadEvidence
from guardia.board.execution import grants, rule_check, tasks, view
from guardia.board.execution.view import PlanGuidance
from guardia.board.organization import agent_memory
from guardia.errors import Invalid, Refused
from guardia.i18n import t
from guardia.knowledge.runbook import DecisionRule


def decide(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Apply the first matching rule.

    It files a plan (without actions if there is nothing to do) or hands over. Without a rule the
    next candidate is tried. Runs from the start after a crash: a filed plan is not filed twice.
    """
    context = runtime.context
    runbook = context.library.runbook(
        state["runbook"] or "", (state["citation"] or {}).get("sha256", "")
    )
    guidance = view.guidance(context.board, context.claim.task_id)
    host = context.gate.host(grants.grant_reads(context.board, context.claim))
    service = procedure.service_of(state, runbook, host, state["text"])
    task = view.task(context.board, context.claim.task_id)
    request = {"kind": task.kind, "action": task.action_type}
    situation = procedure.Situation(host, service, state["params"], state["findings"], request)
    _, questions = procedure.extract_parameters(runbook, state["text"], guidance.requests)
    rule = procedure.first_matching_rule(runbook, situation)
    if questions or rule is None:
        return _undecided(state, runbook.title, questions)
    # Only work that was asked for ends with "nothing to do". It answers no incident, and no request
    # for something else that merely led to this runbook.
    asked = task.kind != "INCIDENT" and task.action_type == runbook.action_type
    if rule.conclude == "hand_over" or (rule.conclude and not asked):
        return _handed_over(state, rule, procedure.rule_reason(rule, situation))
    citation = Citation.model_validate(state["citation"])
    references = [Citation.model_validate(one) for one in state.get("references", ())]
    try:
        plan = procedure.build_plan(
            runbook, rule, situation, citation, guidance.requests, references
        )
    except (Invalid, Refused) as error:
        return {"rule": rule.id, "ending": "manual", "report": str(error)}
    plan, forbidden = _permitted(context, _scheduled(context, plan, guidance))
    if forbidden:
        return {"rule": rule.id, "ending": "manual", "report": forbidden}
    if _is_filed(context, plan) or not plan_guard.is_refused(plan, guidance):
        evidence = procedure.diagnosis_evidence(runbook, situation)
        return _file(context, rule.id, plan, runbook.action_type, guidance, evidence)
    return _nothing_new(state, rule.id, guidance)


def _handed_over(state: OperateState, rule: DecisionRule, words: str) -> OperateState:
    """Give the task to people, unless the fault may be in another service of the server.

    Someone has reported an incident: finding nothing to do does not close it.
    """
    known = [*state.get("healthy", ()), words]
    following = next(iter(state["candidates"]), {}).get("runbook")
    if rule.conclude == "nothing_to_do" and following == state["runbook"]:
        return {"rule": None, "healthy": known}
    return {"rule": rule.id, "ending": "manual", "report": "\n".join(known)}


def _nothing_new(state: OperateState, rule: str, guidance: PlanGuidance) -> OperateState:
    """Try the next candidate for another diagnosis, or answer people if there is none."""
    if guidance.again and state["candidates"]:
        return {"rule": None}
    return {"rule": rule, "ending": "manual", "report": plan_guard.answer(guidance)}


def _scheduled(context: AgentContext, plan: Plan, guidance: PlanGuidance) -> Plan:
    """Return a plan with the start that people asked for, if they did."""
    zone = start_time.company_zone_of(context.board)
    now = context.board.clock().astimezone(zone)
    start = change_request.requested_start(guidance.requests, now)
    if start is None and guidance.starts_at is not None and guidance.starts_at > now:
        start = guidance.starts_at.astimezone(zone)
    return plan.model_copy(update={"not_before": start.isoformat()}) if start else plan


def _permitted(context: AgentContext, plan: Plan) -> tuple[Plan, str]:
    """Return a plan with the start that the site's rules permit, or why they forbid it for good."""
    found = rule_check.schedule_of(context.board, context.claim.task_id, plan)
    if found.start is None:
        return plan, t("agents.forbidden", rules="\n".join(found.ruling.sentences))
    if not found.ruling.waits:
        return plan, ""
    start = found.start.isoformat(timespec="seconds")
    return plan.model_copy(update={"not_before": start}), ""


def _is_filed(context: AgentContext, plan: Plan) -> bool:
    """Return whether a plan was filed by an earlier run of this step."""
    claim = context.claim
    filed = view.plan_state(context.board, claim.task_id)
    attempt = view.task(context.board, claim.task_id).attempt
    return filed.is_current and filed.plan_hash == tasks.plan_hash(claim.task_id, plan, attempt)


def _file(
    context: AgentContext,
    rule: str,
    plan: Plan,
    action_type: str,
    guidance: PlanGuidance,
    evidence: list[ReadEvidence],
) -> OperateState:
    if _is_filed(context, plan):
        approved = view.plan_state(context.board, context.claim.task_id).approved
        return {"rule": rule, "waived": approved}
    did = ", ".join(action.effect for action in plan.actions) or t("notes.nothing_to_do")
    agent_memory.write(
        context.board,
        context.claim,
        t("notes.planned", title=plan.citation.title, because=plan.because, did=did),
    )
    grant = grants.grant_reads(context.board, context.claim)
    waived = tasks.file_plan(
        context.board,
        context.claim,
        plan,
        action_type=action_type,
        answer=plan_guard.revised(plan, guidance),
        checks=run_prechecks(context.gate, grant, plan, evidence),
    )
    if not waived and view.task(context.board, context.claim.task_id).state is State.MANUAL:
        # The chart lets agents only observe here: the board has given the task to people.
        context.final_states.append(State.MANUAL)
        return {"rule": rule, "ending": "observed"}
    return {"rule": rule, "waived": waived}


def _undecided(state: OperateState, title: str, questions: list[str]) -> OperateState:
    if questions:
        return {"ending": "manual", "report": " ".join(questions)}
    if state["candidates"]:
        return {"rule": None}
    return {"rule": None, "ending": "manual", "report": t("agents.no_rule", title=title)}
