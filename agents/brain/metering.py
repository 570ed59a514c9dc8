"""Charge model calls to the budget accounts of the agent that claimed the task."""

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
"""Tokens that a server may add around the two messages."""


class UsageMeter(Protocol):
    """Reserves budget before every call and settles it afterwards."""

    def reserve(self, request: ModelCallRequest) -> int | BudgetRefusal:
        """Return the number of the permitted call, or the refusal."""
        ...

    def settle(self, call: int, result: ModelCallResult) -> None:
        """Book what the call has used."""
        ...

    def pause_agent(self, refused: BudgetRefusal) -> None:
        """Pause the agent until it has budget again. Always raises `Exhausted`."""
        ...


@dataclass(frozen=True, slots=True)
class BoardMeter:
    """The board's accounts for one claimed task or goal."""

    board: BoardContext
    claim: Claim | GoalClaim

    def reserve(self, request: ModelCallRequest) -> int | BudgetRefusal:
        """Reserve in the accounts of the agent, its institution and the company."""
        return metering.reserve(self.board, self.claim, request)

    def settle(self, call: int, result: ModelCallResult) -> None:
        """Settle in the same accounts."""
        metering.settle(self.board, call, result)

    def pause_agent(self, refused: BudgetRefusal) -> None:
        """Pause the agent and ask people for more budget."""
        budgets.pause_agent(self.board, self.claim, refused)


def worst_case(
    choice: ModelChoice, system: str, prompt: Prompt[Any], seconds: float
) -> ModelCallRequest:
    """Return the call with the most that sending `prompt` can use."""
    return ModelCallRequest(
        question=prompt.name,
        provider=choice.provider,
        model=choice.model,
        prompt_version=prompt.version(system),
        # No token is shorter than a byte; the schema counts because servers may add it to the
        # prompt.
        most_in=len((system + prompt.data + prompt.schema_json).encode()) + _MESSAGE_OVERHEAD,
        most_out=choice.max_tokens,
        seconds=seconds,
    )


def call_result(outcome: str, usage: TokenUsage, latency_ms: int, why: str = "") -> ModelCallResult:
    """Return the result of a call for the accounts."""
    return ModelCallResult(outcome, why, usage.tokens_in, usage.tokens_out, latency_ms)
