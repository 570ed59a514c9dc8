"""Who pays for a question: the accounts of the agent that holds the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from guardia.agents.brain.chat.clients import TokenUsage
from guardia.agents.brain.chat.prompts import Prompt
from guardia.board.core.claims import Claim, GoalClaim
from guardia.board.core.context import BoardContext
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.board.costs.metering import ModelCallRequest, ModelCallResult
from guardia.org.brains import ModelChoice

_MESSAGE_OVERHEAD = 256
"""Tokens that a server may add around a message of a role each."""


class UsageMeter(Protocol):
    """Asked before every question, told after every answer."""

    def reserve(self, bid: ModelCallRequest) -> int | BudgetRefusal:
        """The number of the call that is now permitted, or why it is not."""
        ...

    def settle(self, call: int, ended: ModelCallResult) -> None:
        """Book what the call has used."""
        ...

    def rest(self, refused: BudgetRefusal) -> None:
        """Let the agent rest until it has budget again; raises ``Exhausted``."""
        ...


@dataclass(frozen=True, slots=True)
class BoardMeter:
    """The desk's accounts, for one claimed task or goal."""

    board: BoardContext
    claim: Claim | GoalClaim

    def reserve(self, bid: ModelCallRequest) -> int | BudgetRefusal:
        """In the agent's, the institution's and the company's accounts."""
        return metering.reserve(self.board, self.claim, bid)

    def settle(self, call: int, ended: ModelCallResult) -> None:
        """In the same accounts."""
        metering.settle(self.board, call, ended)

    def rest(self, refused: BudgetRefusal) -> None:
        """Asks people as well."""
        budgets.pause_agent(self.board, self.claim, refused)


def worst_case(
    choice: ModelChoice, system: str, question: Prompt[Any], seconds: float
) -> ModelCallRequest:
    """The worst that asking ``question`` can use."""
    return ModelCallRequest(
        question=question.name,
        provider=choice.provider,
        model=choice.model,
        prompt_version=question.version(system),
        # No token is shorter than a byte; the schema counts where a server puts it into the prompt.
        most_in=len((system + question.data + question.schema_json).encode()) + _MESSAGE_OVERHEAD,
        most_out=choice.max_tokens,
        seconds=seconds,
    )


def call_result(outcome: str, usage: TokenUsage, latency_ms: int, why: str = "") -> ModelCallResult:
    """How a call ended, for the books."""
    return ModelCallResult(outcome, why, usage.tokens_in, usage.tokens_out, latency_ms)
