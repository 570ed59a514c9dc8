"""Compose answers to questions from passages, if the chart names a chat model for the dispatcher.

Every sentence is compared with the passage that it cites; one that the passage does not say
withdraws the whole answer, and people read the passages alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardia.board.core.claims import QuestionClaim
from guardia.board.core.context import BoardContext
from guardia.board.costs import metering
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ModelCallRequest, ModelCallResult
from guardia.board.organization import chart as organization_chart

if TYPE_CHECKING:
    from guardia.org.chart_model import AgentEntry

log = logging.getLogger(__name__)

_MOST_PASSAGES = 4


@dataclass(frozen=True, slots=True)
class QuestionMeter:
    """Charges an agent's accounts for a question that belongs to no issue."""

    board: BoardContext
    claim: QuestionClaim

    def reserve(self, request: ModelCallRequest) -> int | BudgetRefusal:
        """Reserve in the accounts of the agent and the company."""
        return metering.reserve(self.board, self.claim, request)

    def settle(self, call: int, result: ModelCallResult) -> None:
        """Settle in the same accounts."""
        metering.settle(self.board, call, result)

    def pause_agent(self, refused: BudgetRefusal) -> None:
        """Do nothing: a question without a composed answer stops no work."""


def composes(board: BoardContext) -> bool:
    """Return whether the chart names a model that composes answers."""
    return _agent(board) is not None


def compose(
    board: BoardContext, question: str, passages: Mapping[int, str]
) -> tuple[tuple[str, int], ...]:
    """Return sentences, each with the number of the passage that says it; empty: none is sound."""
    from guardia.agents.brain.chat.brain import ChatBrain
    from guardia.agents.brain.embedded import EmbeddedBrain
    from guardia.knowledge.retrieval import claims

    agent = _agent(board)
    offered = dict(list(passages.items())[:_MOST_PASSAGES])
    if agent is None or not offered:
        return ()
    meter = QuestionMeter(board, QuestionClaim(agent.id))
    brain = ChatBrain(agent.brain, EmbeddedBrain(), meter=meter)
    numbers = list(offered)
    said = tuple((s, numbers[at]) for s, at in brain.compose(question, list(offered.values())))
    sound = claims.checked(said, offered)
    if said and not sound:
        log.warning("a composed answer was withdrawn: its passages do not say all of it")
    return sound


def _agent(board: BoardContext) -> AgentEntry | None:
    _, chart = organization_chart.running(board)
    return next((a for a in chart.agents if a.duty == "dispatch" and a.brain.kind == "chat"), None)
