"""The dispatcher's steps: understand a request, choose who works on it, delegate."""

from __future__ import annotations

from typing import TypedDict

from langgraph.runtime import Runtime

from guardia.agents import fit
from guardia.agents.brain.goals.plan import GENERAL, draft_opening
from guardia.agents.brain.protocol import attribution
from guardia.agents.brain.triage.classify import Triage, mentioned_servers
from guardia.agents.state import AgentContext
from guardia.board.cmdb import view as cmdb
from guardia.board.core.labels import label
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks, view
from guardia.board.execution.tasks import Assignment
from guardia.board.hiring import requests
from guardia.board.organization import candidates, handover
from guardia.i18n import t
from guardia.org.directory import Directory


class DispatchState(TypedDict, total=False):
    """One request on its way to a specialist."""

    text: str
    category: str | None
    priority: str | None
    """What was settled when the request came in."""
    talk: tuple[str, ...]
    triage: Triage
    thought: str


def classify(state: DispatchState, runtime: Runtime[AgentContext]) -> DispatchState:
    """Triage the request."""
    context = runtime.context
    directory = cmdb.directory(context.board)
    thought = context.brain.triage(state["text"], directory)
    triage = _apply_conversation(
        _apply_settled(thought.answer, state), state.get("talk", ()), directory
    )
    return {"triage": triage, "thought": attribution(thought)}


def _apply_settled(triage: Triage, state: DispatchState) -> Triage:
    """The triage with what the chart's rules or people have settled before."""
    given = {"category": state.get("category"), "priority": state.get("priority")}
    known = {name: value for name, value in given.items() if value is not None}
    if not known:
        return triage
    reason = t("agents.settled", what=", ".join(known.values()))
    return triage.model_copy(update={**known, "reasons": (*triage.reasons, reason)})


def _apply_conversation(triage: Triage, talk: tuple[str, ...], directory: Directory) -> Triage:
    """The triage with the server that the talk around the request names, where the request names
    none, the talk only one that it can be about, and both the same institution."""
    servers = mentioned_servers(talk, directory) if talk and not triage.servers else ()
    if not servers:
        return triage
    hosts = {h.server_id: h for h in directory.servers}
    kinds = {h.kind for h in directory.servers} & {triage.category}
    meant = [s for s in servers if not kinds or hosts[s].kind in kinds]
    home = hosts[meant[0]].institution if len(meant) == 1 else None
    if home is None or triage.institution not in (None, home):
        reason = t("agents.talk.unclear", servers=", ".join(servers))
        return triage.model_copy(update={"reasons": (*triage.reasons, reason)})
    reason = t("agents.talk.server", server=meant[0])
    found = {"servers": tuple(meant), "institution": home}
    return triage.model_copy(update={**found, "reasons": (*triage.reasons, reason)})


def delegate(state: DispatchState, runtime: Runtime[AgentContext]) -> DispatchState:
    """Give the task to the specialist and the engineer that fit best, with the reasons."""
    context, triage = runtime.context, state["triage"]
    server = triage.servers[0] if triage.servers else None
    kind = _server_kind(context, server)
    agent = fit.best_specialist(candidates.specialists(context.board), triage.category, kind)
    reasons = [*triage.reasons, t("agents.thought_by", by=state["thought"])]
    if server is None or agent is None:
        if server is not None and triage.category != GENERAL:
            # People have this one; the next of its kind need not come to them.
            wanted = draft_opening(triage.category, state["text"], context.claim.agent_id)
            requests.request_hire(context.board, context.claim, wanted)
        why = "agents.no_server" if server is None else "agents.no_specialist"
        text = "\n".join(
            [
                t(why, category=label("triage.category", triage.category)),
                *(f"- {r}" for r in reasons),
            ]
        )
        tasks.hand_over(context.board, context.claim, text)
        return {}
    engineer = fit.best_engineer(candidates.engineers(context.board, server), triage.category)
    reasons.append(fit.explain_choice(agent, triage.category))
    reasons.append(engineer.reason if engineer else t("agents.no_engineer"))
    tasks.add_comment(
        context.board,
        context.claim,
        "\n".join([t("agents.triaged"), *(f"- {r}" for r in reasons)]),
    )
    tasks.file_triage(
        context.board,
        context.claim,
        Assignment(
            kind=triage.kind,
            category=triage.category,
            priority=triage.priority,
            institution=triage.institution,
            servers=triage.servers,
            action_type=triage.action_type,
            agent_id=agent.agent_id,
            engineer_id=engineer.candidate.person.id if engineer else None,
            reasons=tuple(reasons),
        ),
    )
    return {}


def reassign(context: AgentContext) -> bool:
    """Give an inherited task to the specialist who fits it; where there is none, to people."""
    task = view.task(context.board, context.claim.task_id)
    category = task.category or ""
    agent = fit.best_specialist(
        candidates.specialists(context.board), category, _server_kind(context, task.server)
    )
    if agent is None:
        text = t(
            "agents.no_specialist", category=label("triage.category", category) if category else "-"
        )
        begun = task.state is State.IN_PROGRESS
        tasks.hand_over(context.board, context.claim, text, emergency=begun)
        return False
    handover.forward_task(context.board, context.claim, agent.agent_id)
    return True


def _server_kind(context: AgentContext, server: str | None) -> str | None:
    return cmdb.server(context.board, server).kind if server is not None else None
