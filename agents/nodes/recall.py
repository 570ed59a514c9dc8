"""Find the runbooks that fit the request, and let the brain choose the first."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from guardia.agents import lessons, procedure, runbook_gate
from guardia.agents.brain.protocol import display_name
from guardia.agents.state import AgentContext, OperateState
from guardia.board.core.plan import Citation
from guardia.board.execution import grants, tasks, view
from guardia.board.knowledge import usage
from guardia.board.search import citations
from guardia.board.search.citations import Reference
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Host

_MAX_CANDIDATES = 3
_MEMORY_LINES = 6
"""Lines of the issue's working memory that the brain gets."""
_EXCERPT_CHARACTERS = 400
_MAX_REFERENCES = 3
_PLACE_CHARACTERS = 80


def recall(state: OperateState, runtime: Runtime[AgentContext]) -> OperateState:
    """Search the knowledge base; hands over to people if nothing fits."""
    context = runtime.context
    host = context.gate.host(grants.grant_reads(context.board, context.claim))
    hits = context.library.find(
        state["text"],
        skills=context.skills,
        kinds=(host.kind,),
        products=tuple(service.product.lower() for service in host.services),
        limit=_MAX_CANDIDATES,
    )
    # A runbook for a service that the server does not have would find nothing.
    registered = {None, *(service.kind for service in host.services)}
    hits = [hit for hit in hits if hit.runbook.service in registered] or hits
    task = view.task(context.board, context.claim.task_id)
    hits = [hit for hit in hits if runbook_gate.applies(hit, task.category, task.action_type)]
    known = context.notebook
    found = lessons.reordered(hits, known.lessons, host.server_id)
    remembered = lessons.relevant_notes(found, known.lessons, host.server_id)
    notes = (*remembered, *known.working.splitlines()[-_MEMORY_LINES:])
    result = context.brain.choose(state["text"], found, notes)
    references = _references(context, host, state["text"])
    cited = [reference_line(one.citation) for one in references if one.is_for_customers]
    chosen = result.answer.runbook
    usage.cite(context.board, context.claim.sr_id, [one.passage_id for one in references], chosen)
    if chosen is None:
        return {"ending": "manual", "report": "\n".join([result.answer.reason, *cited])}
    ordered = sorted(found, key=lambda f: f.runbook.id != chosen)
    summary = t(
        "agents.recalled",
        title=ordered[0].runbook.title,
        version=ordered[0].runbook.version,
        reason=result.answer.reason,
        by=display_name(result.by),
        remark=result.caveat,
    )
    if [f.runbook.id for f in found] != [f.runbook.id for f in hits]:
        remembered.insert(0, t("notes.reordered", title=found[0].runbook.title))
    if known.working:
        remembered.append(t("notes.read", text=known.working[-_EXCERPT_CHARACTERS:]))
    tasks.add_comment(
        context.board,
        context.claim,
        "\n".join([summary, *(f"- {n}" for n in (*remembered, *cited))]),
    )
    return {
        "candidates": [c for f in ordered for c in _candidates(f, host, state["text"])],
        "references": [one.citation.model_dump(mode="json") for one in references],
    }


def _references(context: AgentContext, host: Host, text: str) -> list[Reference]:
    """Return what documents say about the request. It decides nothing: people read it."""
    if context.find_passages is None:
        return []
    found = context.find_passages(text, host.institution, host.server_id, _MAX_REFERENCES)
    return citations.references(context.board, found, host.institution, host.server_id)


def reference_line(cited: Citation) -> str:
    """Return a line that names a document's passage and leads to it."""
    place = cited.passage.split("\n", 1)[0][:_PLACE_CHARACTERS]
    # The title is foreign text: brackets in it would end the link.
    title = cited.title.replace("[", "(").replace("]", ")")
    return t("agents.reference", title=title, path=cited.path, place=place)


def _candidates(found: RunbookMatch, host: Host, text: str) -> list[dict[str, Any]]:
    """Return a runbook once for each service of the server that it is for."""
    citation = _citation(found).model_dump(mode="json")
    services: list[str | None] = [*procedure.services_for(found.runbook, host, text)] or [None]
    return [
        {"runbook": found.runbook.id, "citation": citation, "service": service}
        for service in services
    ]


def _citation(found: RunbookMatch) -> Citation:
    return Citation(
        document=found.runbook.id,
        title=found.runbook.title,
        version=found.runbook.version,
        sha256=found.runbook.sha256,
        passage=f"{found.passage.heading}\n{found.passage.text}",
    )
