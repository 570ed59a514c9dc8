"""Steps of the dispatcher: understand a request, choose its specialist, delegate."""

from __future__ import annotations

from typing import TypedDict

from langgraph.runtime import Runtime

from guardia.agents import fit
from guardia.agents.brain.goals.plan import GENERAL, draft_opening
from guardia.agents.brain.protocol import attribution
from guardia.agents.brain.triage.classify import Triage, mentioned_servers
from guardia.agents.brain.triage.names import index_of
from guardia.agents.fit import EngineerFit
from guardia.agents.state import AgentContext
from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb import view as cmdb
from guardia.board.core.labels import label
from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, tasks, view
from guardia.board.execution.assignments import Assignment
from guardia.board.execution.understanding import Understanding
from guardia.board.hiring import requests
from guardia.board.organization import candidates, handover
from guardia.board.organization.candidates import Specialist
from guardia.i18n import t
from guardia.org.directory import Directory


class DispatchState(TypedDict, total=False):
    """One request on its way to a specialist."""

    text: str
    category: str | None
    priority: str | None
    """What was settled when the request was received."""
    talk: tuple[str, ...]
    triage: Triage
    thought: str


def classify(state: DispatchState, runtime: Runtime[AgentContext]) -> DispatchState:
    """Triage the request."""
    context = runtime.context
    directory = cmdb.systems(context.board)
    result = context.brain.triage(state["text"], directory)
    triage = _apply_conversation(
        _apply_settled(result.answer, state), state.get("talk", ()), directory
    )
    return {"triage": triage, "thought": attribution(result)}


def _apply_settled(triage: Triage, state: DispatchState) -> Triage:
    """Apply what the chart's rules or people have settled before."""
    given = {"category": state.get("category"), "priority": state.get("priority")}
    known = {name: value for name, value in given.items() if value is not None}
    if not known:
        return triage
    reason = t("agents.settled", what=", ".join(known.values()))
    return triage.model_copy(update={**known, "reasons": (*triage.reasons, reason)})


def _apply_conversation(triage: Triage, talk: tuple[str, ...], directory: Directory) -> Triage:
    """Take the server from the conversation around the request if the request names none.

    Only if the conversation names a single server that fits, at the institution of the request.
    """
    servers = mentioned_servers(talk, directory) if talk and not triage.servers else ()
    if not servers:
        return triage
    hosts, matching_kinds = index_of(directory).hosts, index_of(directory).kinds & {triage.category}
    fitting = [s for s in servers if not matching_kinds or hosts[s].kind in matching_kinds]
    home = hosts[fitting[0]].institution if len(fitting) == 1 else None
    if home is None or triage.institution not in (None, home):
        reason = t("agents.talk.unclear", servers=", ".join(servers))
        return triage.model_copy(update={"reasons": (*triage.reasons, reason)})
    reason = t("agents.talk.server", server=fitting[0])
    found = {"servers": tuple(fitting), "institution": home}
    return triage.model_copy(update={**found, "reasons": (*triage.reasons, reason)})


def delegate(state: DispatchState, runtime: Runtime[AgentContext]) -> DispatchState:
    """Give the task to the specialist and the engineer that fit best, with the reasons."""
    context, triage = runtime.context, state["triage"]
    server = triage.servers[0] if triage.servers else None
    agent = fit.best_specialist(
        candidates.specialists(context.board), triage.category, _server_kind(context, server)
    )
    reasons = [*triage.reasons, t("agents.thought_by", by=state["thought"])]
    if server is None or agent is None:
        _hand_over(context, triage, state["text"], reasons)
        return {}
    engineer = fit.best_engineer(
        responsibility_view.engineers(context.board, server, triage.category), triage.category
    )
    reasons.append(fit.explain_choice(agent, triage.category))
    reasons.append(engineer.reason if engineer else t("agents.no_engineer"))
    tasks.add_comment(context.board, context.claim, _bulleted(t("agents.triaged"), reasons))
    assignments.file_triage(
        context.board, context.claim, _assignment(triage, agent, engineer, reasons)
    )
    return {}


def _hand_over(context: AgentContext, triage: Triage, text: str, reasons: list[str]) -> None:
    """Hand the task to people; request a hire if only the specialist is missing."""
    if triage.servers and triage.category != GENERAL:
        # This task goes to people, but the next of its kind need not.
        opening = draft_opening(triage.category, text, context.claim.agent_id)
        requests.request_hire(context.board, context.claim, opening)
    key = "agents.no_specialist" if triage.servers else "agents.no_server"
    why = t(key, category=label("triage.category", triage.category))
    understood = Understanding(**triage.model_dump(exclude={"reasons"}), reasons=tuple(reasons))
    tasks.hand_over(context.board, context.claim, _bulleted(why, reasons), understood=understood)


def _assignment(
    triage: Triage, agent: Specialist, engineer: EngineerFit | None, reasons: list[str]
) -> Assignment:
    return Assignment(
        kind=triage.kind,
        category=triage.category,
        priority=triage.priority,
        institution=triage.institution,
        servers=triage.servers,
        action_type=triage.action_type,
        agent_id=agent.agent_id,
        engineer_id=engineer.candidate.person.id if engineer else None,
        reasons=tuple(reasons),
    )


def _bulleted(first: str, lines: list[str]) -> str:
    return "\n".join([first, *(f"- {line}" for line in lines)])


def reassign(context: AgentContext) -> bool:
    """Forward an inherited task to the fitting specialist. Returns `False` if it goes to people."""
    task = view.task(context.board, context.claim.task_id)
    category = task.category or ""
    agent = fit.best_specialist(
        candidates.specialists(context.board), category, _server_kind(context, task.server)
    )
    if agent is None:
        text = t(
            "agents.no_specialist", category=label("triage.category", category) if category else "-"
        )
        started = task.state is State.IN_PROGRESS
        tasks.hand_over(context.board, context.claim, text, emergency=started)
        return False
    handover.forward_task(context.board, context.claim, agent.agent_id)
    return True


def _server_kind(context: AgentContext, server: str | None) -> str | None:
    return cmdb.server(context.board, server).kind if server is not None else None
