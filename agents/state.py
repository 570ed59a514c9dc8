"""What a graph carries from step to step, and what each waking brings anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from guardia.agents.brain.protocol import Brain
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import State
from guardia.board.organization.agent_memory import Notebook
from guardia.knowledge.library import Library
from guardia.tools.gate import Gate

TaskOutcome = Literal["completed", "failed", "manual", "emergency"]


class OperateState(TypedDict, total=False):
    """Operations on one server. Plain JSON values only: this is what checkpoints hold."""

    text: str
    """The request as it was received; untrusted."""
    candidates: list[dict[str, Any]]
    """Procedures that are still to be tried: runbook id and the passage to cite."""
    runbook: str | None
    citation: dict[str, Any]
    params: dict[str, str]
    findings: dict[str, Any]
    rule: str | None
    waived: bool
    returned: str | None
    """What people want to be different, when they have sent the plan back."""
    failed_at: int | None
    """Number of the action that failed, when one did."""
    ending: TaskOutcome
    report: str


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What a waking brings: never checkpointed, because a hold lives for one beat only."""

    board: BoardContext
    gate: Gate
    library: Library
    brain: Brain
    claim: Claim
    skills: tuple[str, ...]
    notebook: Notebook = field(default_factory=Notebook)
    """What the agent remembers of this issue and server."""
    final_states: list[State] = field(default_factory=list)
    """How this waking ended the task: that stands, whatever people do the moment after."""
