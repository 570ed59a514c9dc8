"""Steps of the head for a goal: divide it, triage the pieces, propose a plan of issues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypedDict

from langgraph.runtime import Runtime

from guardia.agents import fit
from guardia.agents.brain.goals import plan
from guardia.agents.brain.goals.breakdown import GoalPiece, divide
from guardia.agents.brain.goals.deadline import deadlines
from guardia.agents.brain.goals.plan import ResolvedPiece
from guardia.agents.brain.protocol import Brain, attribution
from guardia.agents.brain.triage.classify import Triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.names import index_of
from guardia.board.cmdb import responsibility_view
from guardia.board.cmdb import view as cmdb
from guardia.board.core.claims import GoalClaim
from guardia.board.core.context import BoardContext
from guardia.board.goals import planning
from guardia.board.goals.planning import Breakdown, GoalPartDraft
from guardia.board.organization import candidates
from guardia.board.organization.candidates import Specialist
from guardia.i18n import t
from guardia.org.directory import Directory

_MARKS = ("guessed", "added")


class GoalPlanState(TypedDict, total=False):
    """One goal on its way to a plan."""

    pieces: list[GoalPiece]
    divided_by: str
    """Empty if people have reworded the goal since."""
    today: date
    due: date | None
    """The goal's only deadline."""
    work: list[ResolvedPiece]
    thought_by: str


@dataclass(frozen=True, slots=True)
class GoalContext:
    """Context of one run for a goal."""

    board: BoardContext
    brain: Brain
    claim: GoalClaim


def divide_goal(state: GoalPlanState, runtime: Runtime[GoalContext]) -> GoalPlanState:
    """Divide the goal: take the pieces that people have reworded, or divide the text."""
    context = runtime.context
    brief = planning.load_brief(context.board, context.claim)
    days = {d.on for d in deadlines(brief.text, brief.today)}
    update: GoalPlanState = {
        "today": brief.today,
        # several deadlines belong to pieces, whose texts name them
        "due": next(iter(days)) if len(days) == 1 else None,
    }
    if brief.pieces:
        kept = [piece for one in brief.pieces for piece in _restored_pieces(one)]
        return {**update, "pieces": kept, "divided_by": ""}
    directory = cmdb.systems(context.board)
    result = context.brain.divide(brief.text, directory)
    return {**update, "pieces": list(result.answer), "divided_by": attribution(result)}


def _restored_pieces(kept: dict[str, Any]) -> list[GoalPiece]:
    if not kept.get("reworded"):
        read = Triage.model_validate(kept["read"]) if kept.get("read") else None
        piece = GoalPiece(kept["text"], kept["request"], kept["sentence"], kept["wish"], read)
        guessed, added = (bool(kept.get(name)) for name in _MARKS)
        return [replace(piece, guessed=guessed, added=added)]
    # What a person answers to a question is a request, whatever its form.
    return [replace(p, sentence=kept["sentence"], is_request=True) for p in divide(kept["text"])]


def understand(state: GoalPlanState, runtime: Runtime[GoalContext]) -> GoalPlanState:
    """Triage each piece: its servers, its deadline, or the question to people."""
    context = runtime.context
    directory = cmdb.systems(context.board)
    attributions = dict.fromkeys([state["divided_by"]])

    def classify(text: str) -> Triage:
        result = context.brain.triage(text, directory)
        attributions[attribution(result)] = None
        return result.answer

    kind_words = lexicon().servers
    pieces, due = state["pieces"], state["due"] if _divided_by_model(state["pieces"]) else None
    work = plan.resolve_pieces(pieces, directory, kind_words, state["today"], classify, due)
    return {"work": work, "thought_by": ", ".join(filter(None, attributions))}


def _divided_by_model(pieces: list[GoalPiece]) -> bool:
    """Return whether a model divided the goal; its titles omit the goal's deadline."""
    return any(piece.read for piece in pieces)


def propose(state: GoalPlanState, runtime: Runtime[GoalContext]) -> GoalPlanState:
    """File the plan: an issue per server, its specialist, a hire if no one has the skill."""
    context = runtime.context
    specialists = candidates.specialists(context.board)
    directory = cmdb.systems(context.board)
    parts = [
        _part(context, found, server, specialists, directory)
        for found in state["work"]
        for server in (found.servers or (None,))
    ]
    dues = [p.due_on for p in parts if p.due_on]
    planning.file_plan(
        context.board,
        context.claim,
        Breakdown(
            pieces=tuple(_serialized(p) for p in state["pieces"]),
            parts=tuple(parts),
            thought_by=state["thought_by"],
            due_on=max(dues, default=None),
        ),
    )
    return {}


def _serialized(piece: GoalPiece) -> dict[str, Any]:
    return {
        "text": piece.text,
        "request": piece.request,
        "sentence": piece.sentence,
        "wish": piece.is_request,
        **({"read": piece.read.model_dump(mode="json")} if piece.read else {}),
        **{name: True for name in _MARKS if getattr(piece, name)},
    }


def _part(
    context: GoalContext,
    found: ResolvedPiece,
    server: str | None,
    specialists: list[Specialist],
    directory: Directory,
) -> GoalPartDraft:
    read, reasons = found.triage, list(found.reasons or found.triage.reasons)
    agent, engineer, opening = None, None, None
    if not found.question:
        skill = _skill(read, server, directory)
        agent = fit.best_specialist(specialists, skill, None)
        best = fit.best_engineer(
            responsibility_view.engineers(context.board, server, read.category),
            read.category,
            responsibility_view.weights(context.board),
        )
        engineer = best.candidate.person.id if best else None
        if agent is None:
            opening = plan.draft_opening(skill, found.text, context.claim.agent_id)
            reasons.append(t("goals.because.no_skill", title=opening.title))
        else:
            reasons.append(fit.explain_choice(agent, skill))
        reasons += [best.reason] if best else []
    return GoalPartDraft(
        piece=found.piece,
        text=found.text,
        kind=read.kind,
        category=read.category,
        priority=read.priority,
        institution=read.institution,
        server=server,
        guessed=found.guessed and server is not None,
        action_type=read.action_type,
        agent_id=agent.agent_id if agent else None,
        engineer_id=engineer,
        due_on=found.due,
        reasons=tuple(reasons),
        question=found.question,
        opening=opening,
    )


def _skill(read: Triage, server: str | None, directory: Directory) -> str:
    """Return the required skill: the field of the work, or for general work the kind of server."""
    if read.category != plan.GENERAL:
        return read.category
    host = index_of(directory).hosts.get(server or "")
    return host.kind if host else read.category
