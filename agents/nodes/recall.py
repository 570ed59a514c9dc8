"""Find the procedures that fit the request, and let the brain put one first."""

from __future__ import annotations

from langgraph.runtime import Runtime

from guardia.agents.brain.thought import named
from guardia.agents.state import Context, OperateState
from guardia.board.desk import work
from guardia.board.plan import Citation
from guardia.i18n import t
from guardia.knowledge.library import Found

_TRIED = 3


def recall(state: OperateState, runtime: Runtime[Context]) -> OperateState:
    """Search the knowledge base; ends in people's hands where nothing fits."""
    context = runtime.context
    host = context.gate.host(work.observe(context.desk, context.hold))
    found = tuple(
        context.library.find(state["text"], skills=context.skills, kinds=(host.kind,), limit=_TRIED)
    )
    thought = context.brain.choose(state["text"], found)
    chosen = thought.answer.runbook
    if chosen is None:
        return {"ending": "manual", "report": thought.answer.reason}
    ordered = sorted(found, key=lambda f: f.runbook.id != chosen)
    work.remark(
        context.desk,
        context.hold,
        t(
            "agents.recalled",
            reason=thought.answer.reason,
            by=named(thought.by),
            remark=thought.remark,
        ),
    )
    return {
        "candidates": [
            {"runbook": f.runbook.id, "citation": _citation(f).model_dump(mode="json")}
            for f in ordered
        ]
    }


def _citation(found: Found) -> Citation:
    return Citation(
        document=found.runbook.id,
        title=found.runbook.title,
        version=found.runbook.version,
        sha256=found.runbook.sha256,
        passage=f"{found.passage.heading}\n{found.passage.text}",
    )
