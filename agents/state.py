"""State that a graph carries from step to step, and the context of each run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from guardia.agents.brain.protocol import Brain
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.organization.agent_memory import Notebook
from guardia.board.search.questions import FoundPassage
from guardia.knowledge.library import Library
from guardia.tools.gate import Gate

PassageFinder = Callable[[str, str | None, str | None, int], tuple[FoundPassage, ...]]
"""Finds passages of documents for a text, an institution, a server, at most so many."""

TaskOutcome = Literal["completed", "failed", "manual", "emergency", "observed"]


class OperateState(TypedDict, total=False):
    """Operations on one server. Plain JSON values only, because checkpoints store them."""

    text: str
    """The request as received; untrusted."""
    candidates: list[dict[str, Any]]
    """Runbooks still to be tried: id, the passage to cite, and the service to try it on."""
    runbook: str | None
    service: str | None
    citation: dict[str, Any]
    references: list[dict[str, Any]]
    """Passages of documents to cite beside the runbook."""
    params: dict[str, str]
    findings: dict[str, Any]
    healthy: list[str]
    """What was found of services on which the present runbook had nothing to do."""
    rule: str | None
    waived: bool
    returned: str | None
    """The changes that people request when they return the plan."""
    failed_at: int | None
    """Ordinal of the failed action, if any."""
    ending: TaskOutcome
    server_left: Literal["unchanged", "lost"]
    """More than `ending` says of the server: nothing had been changed, or it cannot be reached."""
    report: str


@dataclass(frozen=True, slots=True)
class AgentContext:
    """Context of one run: never checkpointed, because a claim lives for one beat only."""

    board: BoardContext
    gate: Gate
    library: Library
    brain: Brain
    claim: Claim
    skills: tuple[str, ...]
    notebook: Notebook = field(default_factory=Notebook)
    """What the agent remembers of this issue and server."""
    find_passages: PassageFinder | None = None
    """Searches the documents; `None`: this process does not."""
    final_states: list[State] = field(default_factory=list)
    """How this run ended the task; final, even if people act right after."""
