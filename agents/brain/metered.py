"""Who pays for a question: the accounts of the agent that holds the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from guardia.agents.brain.chat.clients import Usage
from guardia.agents.brain.chat.prompts import Question
from guardia.board.core.claims import GoalHold, Hold
from guardia.board.core.context import Desk
from guardia.board.costs import budgets, metering
from guardia.board.costs.budget_accounts import Refusal
from guardia.board.costs.metering import Bid, Ended
from guardia.org.brains import ModelChoice

_FRAME = 256
"""Tokens that a server may add around a message of a role each."""


class Meter(Protocol):
    """Asked before every question, told after every answer."""

    def reserve(self, bid: Bid) -> int | Refusal:
        """The number of the call that is now permitted, or why it is not."""
        ...

    def settle(self, call: int, ended: Ended) -> None:
        """Book what the call has used."""
        ...

    def rest(self, refused: Refusal) -> None:
        """Let the agent rest until it has budget again; raises ``Exhausted``."""
        ...


@dataclass(frozen=True, slots=True)
class DeskMeter:
    """The desk's accounts, for one claimed task or goal."""

    desk: Desk
    hold: Hold | GoalHold

    def reserve(self, bid: Bid) -> int | Refusal:
        """In the agent's, the institution's and the company's accounts."""
        return metering.reserve(self.desk, self.hold, bid)

    def settle(self, call: int, ended: Ended) -> None:
        """In the same accounts."""
        metering.settle(self.desk, call, ended)

    def rest(self, refused: Refusal) -> None:
        """Asks people as well."""
        budgets.rest(self.desk, self.hold, refused)


def bid(choice: ModelChoice, system: str, question: Question[Any], seconds: float) -> Bid:
    """The worst that asking ``question`` can use."""
    return Bid(
        question=question.name,
        provider=choice.provider,
        model=choice.model,
        prompt_version=question.version(system),
        # No token is shorter than a byte; the schema counts where a server puts it into the prompt.
        most_in=len((system + question.data + question.form).encode()) + _FRAME,
        most_out=choice.max_tokens,
        seconds=seconds,
    )


def ended(outcome: str, usage: Usage, latency_ms: int, why: str = "") -> Ended:
    """How a call ended, for the books."""
    return Ended(outcome, why, usage.tokens_in, usage.tokens_out, latency_ms)
