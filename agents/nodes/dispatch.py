"""Steps of the dispatcher: understand a request, choose its specialist, delegate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from langgraph.runtime import Runtime

from guardia.agents import fit
from guardia.agents.brain.goals.plan import GENERAL, draft_opening
from guardia.agents.brain.protocol import attribution
from guardia.agents.brain.triage.classify import Triage, mentioned_servers
from guardia.agents.brain.triage.names import index_of
from guardia.agents.server_question import (
    as_choices,
    certain_server,
    needs_server,
    possible_servers,
    sole_servers_below,
)
from guardia.agents.state import AgentContext
from guardia.board.assignment import questions, reports
from guardia.board.assignment.proposals import Chosen
from guardia.board.assignment.understanding import Understanding
from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb import view as cmdb
from guardia.board.core.labels import label
from guardia.board.core.lifecycle import State
from guardia.board.core.wake_reasons import URGENT_PRIORITY
from guardia.board.execution import assignments, tasks, view
from guardia.board.execution.assignments import Assignment
from guardia.board.hiring import requests
from guardia.board.issues import visibility
from guardia.board.organization import candidates, handover
from guardia.board.organization.candidates import Specialist
from guardia.i18n import t
from guardia.org.directory import Directory, Host


class DispatchState(TypedDict, total=False):
    """One request on its way to a specialist."""

    text: str
    category: str | None
    priority: str | None
    """What was settled when the request was received."""
    talk: tuple[str, ...]
    answered: tuple[str, ...]
    """The servers that the requester has named when asked."""
    given: dict[str, Any]
    """Further fields of the triage that its source has settled."""
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
    triage = _apply_answer(triage, state.get("answered", ()), directory)
    triage = _apply_given(triage, state.get("given", {}))
    return {"triage": triage, "thought": attribution(result)}


def _apply_settled(triage: Triage, state: DispatchState) -> Triage:
    """Apply what the chart's rules or people have settled before."""
    given = {"category": state.get("category"), "priority": state.get("priority")}
    known = {name: value for name, value in given.items() if value is not None}
    if not known:
        return triage
    reason = t("agents.settled", what=", ".join(known.values()))
    return triage.model_copy(update={**known, "reasons": (*triage.reasons, reason)})


def _apply_given(triage: Triage, given: Mapping[str, Any]) -> Triage:
    """Apply what the source of an alert has settled, such as its server; its text is only read."""
    if not given:
        return triage
    servers = tuple(given.get("servers", triage.servers))
    reason = t("agents.given", servers=", ".join(servers) or "-")
    found = {**given, "servers": servers, "reasons": (*triage.reasons, reason)}
    return triage.model_copy(update=found)


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


def _apply_answer(triage: Triage, answered: tuple[str, ...], directory: Directory) -> Triage:
    """Take the servers that the requester named when asked."""
    hosts = index_of(directory).hosts
    servers = tuple(server for server in answered if server in hosts)
    if not servers:
        return triage
    reason = t("agents.question.answered", servers=", ".join(servers))
    found = {"servers": servers, "institution": hosts[servers[0]].institution}
    return triage.model_copy(update={**found, "reasons": (*triage.reasons, reason)})


def delegate(state: DispatchState, runtime: Runtime[AgentContext]) -> DispatchState:
    """Give the request to whom it fits best, with the reasons; ask first if a server is missing.

    A further report of an incident is linked to the issue that repairs it.
    """
    context, triage = runtime.context, state["triage"]
    reasons = [*triage.reasons, t("agents.thought_by", by=state["thought"])]
    if not triage.servers and _is_linked(context, triage, reasons):
        return {}
    # The server of an alert is never guessed: it may be one that is not known here.
    if needs_server(triage) and not state.get("given"):
        found = _find_server(context, triage, reasons)
        if found is None:
            return {}
        triage = found
    server = triage.servers[0] if triage.servers else None
    if server is not None and _is_linked(context, triage, reasons):
        return {}
    kind = _server_kind(context, server)
    agent = fit.best_specialist(candidates.specialists(context.board), triage.category, kind)
    if server is None or agent is None:
        _hand_over(context, triage, state["text"], reasons)
        return {}
    _file(context, triage, server, agent, reasons)
    return {}


def _is_linked(context: AgentContext, triage: Triage, reasons: list[str]) -> bool:
    """Link a further report of an open incident; return whether there is one."""
    systems = cmdb.systems(context.board).servers
    below = sole_servers_below(systems, triage.servers[0]) if triage.servers else ()
    understood = _understood(triage, reasons)
    return reports.link_claimed(context.board, context.claim, understood, below) is not None


def _find_server(context: AgentContext, triage: Triage, reasons: list[str]) -> Triage | None:
    """Return the triage with the only possible server, or as it is if only people can tell.

    `None`: the requester is asked, once for each request.
    """
    board, sr_id = context.board, context.claim.sr_id
    if (asked := questions.asked_before(board, sr_id)) is not None:
        reasons.append(t(f"agents.question.{asked.state}"))
        return triage
    hosts = _hosts_of(context, triage)
    if (only := certain_server(triage, hosts)) is not None:
        reasons.append(t("agents.question.only_one", server=only.server_id))
        return triage.model_copy(
            update={"servers": (only.server_id,), "institution": only.institution}
        )
    if not questions.can_be_asked(board, sr_id):
        return triage
    possible = possible_servers(triage, hosts)
    choices = as_choices(possible, questions.most_choices(board))
    if not choices and triage.priority == URGENT_PRIORITY:
        return triage  # an outage does not wait for a question that only words can answer
    key = "which" if choices else "name"
    text = t(f"agents.question.{key}", category=label("triage.category", triage.category))
    questions.ask(board, context.claim, text, choices, _understood(triage, reasons))
    return None


def _hosts_of(context: AgentContext, triage: Triage) -> tuple[Host, ...]:
    """Return the servers of the requester's institution, or else of the one that the text names."""
    home = visibility.institution_of(context.board, context.claim.sr_id) or triage.institution
    return tuple(h for h in cmdb.systems(context.board).servers if h.institution == home)


def _understood(triage: Triage, reasons: list[str]) -> Understanding:
    return Understanding(
        **triage.model_dump(exclude={"reasons"}),
        reasons=tuple(reasons),
        confidence=_CONFIDENCE.get(len(triage.unsure), "low"),
        unsure=triage.unsure,
        symptoms=triage.symptoms,
    )


_CONFIDENCE = {0: "high", 1: "medium"}
"""By the number of fields for which the text has no evidence."""


def _file(
    context: AgentContext, triage: Triage, server: str, agent: Specialist, reasons: list[str]
) -> None:
    """File the triage for a specialist, with the engineer who fits best."""
    weights = responsibility_view.weights(context.board)
    people = responsibility_view.engineers(context.board, server, triage.category)
    engineer = fit.best_engineer(people, triage.category, weights)
    explained = fit.explain_choice(agent, triage.category)
    reasons += [explained, engineer.reason if engineer else t("agents.no_engineer")]
    score = fit.specialist_score(agent, triage.category, weights)
    chosen = [Chosen("agent", agent.agent_id, score, (explained,))]
    if engineer is not None:
        person = engineer.candidate.person.id
        chosen.append(Chosen("person", person, engineer.score, (engineer.reason,)))
    tasks.add_comment(context.board, context.claim, _bulleted(t("agents.triaged"), reasons))
    assignment = Assignment(
        **dict(_understood(triage, reasons)),
        agent_id=agent.agent_id,
        engineer_id=engineer.candidate.person.id if engineer else None,
        chosen=tuple(chosen),
    )
    assignments.file_triage(context.board, context.claim, assignment)


def _hand_over(context: AgentContext, triage: Triage, text: str, reasons: list[str]) -> None:
    """Hand the task to people; request a hire if only the specialist is missing."""
    if triage.servers and triage.category != GENERAL:
        # This task goes to people, but the next of its kind need not.
        opening = draft_opening(triage.category, text, context.claim.agent_id)
        requests.request_hire(context.board, context.claim, opening)
    key = "agents.no_specialist" if triage.servers else "agents.no_server"
    why = t(key, category=label("triage.category", triage.category))
    understood = _understood(triage, reasons)
    tasks.hand_over(context.board, context.claim, _bulleted(why, reasons), understood=understood)


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
