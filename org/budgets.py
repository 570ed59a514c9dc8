"""Model prices and budgets of org_chart.yaml, and their arithmetic.

Money is counted in millionths of a won. With prices in won per million tokens, every token costs a
whole number of them, so nothing is ever rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from guardia.org.brains import BrainChoice
from guardia.text import CleanStr

MICROS_PER_WON = 1_000_000
"""Millionths of a won in one won."""
MAX_TOKENS = 10**12
MAX_WON = 10**9
_WARNING_PERCENT = 80


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Entry):
    """Price of a model, in won per million tokens."""

    input: int = Field(ge=0, le=MAX_WON)
    output: int = Field(ge=0, le=MAX_WON)

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """Return the cost of these tokens, in millionths of a won."""
        return self.input * tokens_in + self.output * tokens_out


FREE = Price(input=0, output=0)


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and money in millionths of a won."""

    tokens: int = 0
    cost: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.cost + other.cost)


@dataclass(frozen=True, slots=True)
class Cap:
    """Spending limit of one period; `None` means unlimited."""

    tokens: int | None = None
    cost: int | None = None

    def increased_by(self, by: Amount) -> Cap:
        """Return the cap plus an increase that a person granted."""
        return Cap(
            None if self.tokens is None else self.tokens + by.tokens,
            None if self.cost is None else self.cost + by.cost,
        )

    def allows(self, total: Amount) -> bool:
        """Return whether `total` is within the cap."""
        return (self.tokens is None or total.tokens <= self.tokens) and (
            self.cost is None or total.cost <= self.cost
        )

    def percent_used(self, spent: Amount) -> int | None:
        """Return the percentage spent, of the scarcer of tokens and money.

        `None` if there is no cap.
        """
        percentages = [
            100 if cap == 0 else part * 100 // cap
            for part, cap in ((spent.tokens, self.tokens), (spent.cost, self.cost))
            if cap is not None
        ]
        return max(percentages, default=None)

    def is_nearly_reached(self, spent: Amount) -> bool:
        """Return whether people must be warned."""
        used = self.percent_used(spent)
        return used is not None and used >= _WARNING_PERCENT

    @property
    def is_unlimited(self) -> bool:
        """Whether neither tokens nor money are limited."""
        return self.tokens is None and self.cost is None


def format_won(cost: int) -> str:
    """Format money for people: whole won, with two decimals for small amounts."""
    return (
        f"{cost / MICROS_PER_WON:,.2f}"
        if cost % MICROS_PER_WON and cost < 100 * MICROS_PER_WON
        else f"{round(cost / MICROS_PER_WON):,}"
    )


class Budget(_Entry):
    """Caps per month and per day in the company's time zone; an unset field sets no cap."""

    tokens: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    won: int | None = Field(default=None, ge=0, le=MAX_WON)
    daily_tokens: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    daily_won: int | None = Field(default=None, ge=0, le=MAX_WON)

    @property
    def limits_money(self) -> bool:
        """Whether it limits money, which needs a price for every model."""
        return self.won is not None or self.daily_won is not None

    def cap(self, span: str) -> Cap:
        """Return the cap of a `month` or a `day`."""
        if span == "day":
            tokens, won = self.daily_tokens, self.daily_won
        else:
            tokens, won = self.tokens, self.won
        return Cap(tokens, None if won is None else won * MICROS_PER_WON)


class AgentBudget(Budget):
    """An agent's caps, and what happens when one is reached."""

    on_exhausted: Literal["embedded", "pause"] = "embedded"
    """`embedded`: continue without models; `pause`: pause until a person raises the cap."""


class Budgets(_Entry):
    """Caps shared by several agents. If one is reached, the embedded brain take over."""

    company: Budget = Budget()
    institutions: dict[CleanStr, Budget] = {}


class BudgetedAgent(Protocol):
    """The part of an agent's chart entry that matters for budgets."""

    @property
    def id(self) -> str: ...

    @property
    def brain(self) -> BrainChoice: ...

    @property
    def budget(self) -> AgentBudget: ...


def unpriced_models(
    agents: Iterable[BudgetedAgent], shared: Budgets, prices: Mapping[str, Price]
) -> list[tuple[str, str]]:
    """Return agents and models whose money is limited but which have no price.

    Such a limit would never be reached.
    """
    shared_limit = any(b.limits_money for b in (shared.company, *shared.institutions.values()))
    return [
        (agent.id, choice.model)
        for agent in agents
        if shared_limit or agent.budget.limits_money
        for choice in agent.brain.models_in_order
        if choice.model not in prices
    ]
