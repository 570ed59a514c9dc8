"""What models cost and what may be spent, as org_chart.yaml says it; and the arithmetic of it.

Money is counted in millionths of a won: with a price in won per million tokens, every token costs
a whole number of them, so nothing is ever rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from guardia.org.brains import BrainChoice

MICROS_PER_WON = 1_000_000
"""Millionths in one won."""
MAX_TOKENS = 10**12
MAX_WON = 10**9
_WARNING_PERCENT = 80


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Entry):
    """Won per million tokens."""

    input: int = Field(ge=0, le=MAX_WON)
    output: int = Field(ge=0, le=MAX_WON)

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """Millionths of a won for so many tokens."""
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
    """What may be spent in one period; ``None``: as much as one likes."""

    tokens: int | None = None
    cost: int | None = None

    def increased_by(self, by: Amount) -> Cap:
        """The cap with what people have added to it."""
        return Cap(
            None if self.tokens is None else self.tokens + by.tokens,
            None if self.cost is None else self.cost + by.cost,
        )

    def holds(self, total: Amount) -> bool:
        """Whether ``total`` stays within it."""
        return (self.tokens is None or total.tokens <= self.tokens) and (
            self.cost is None or total.cost <= self.cost
        )

    def share(self, spent: Amount) -> int | None:
        """Percent of it that is spent, of the scarcer kind; ``None`` where there is no cap."""
        shares = [
            100 if cap == 0 else part * 100 // cap
            for part, cap in ((spent.tokens, self.tokens), (spent.cost, self.cost))
            if cap is not None
        ]
        return max(shares, default=None)

    def is_nearly_reached(self, spent: Amount) -> bool:
        """Whether people must be warned."""
        share = self.share(spent)
        return share is not None and share >= _WARNING_PERCENT

    @property
    def open(self) -> bool:
        """Whether there is no cap at all."""
        return self.tokens is None and self.cost is None


def format_won(cost: int) -> str:
    """Money as people read it: whole won, or to the hundredth where it is little."""
    return (
        f"{cost / MICROS_PER_WON:,.2f}"
        if cost % MICROS_PER_WON and cost < 100 * MICROS_PER_WON
        else f"{round(cost / MICROS_PER_WON):,}"
    )


class Budget(_Entry):
    """Caps per month and per day of the company's time zone; what is not named is not capped."""

    tokens: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    won: int | None = Field(default=None, ge=0, le=MAX_WON)
    daily_tokens: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    daily_won: int | None = Field(default=None, ge=0, le=MAX_WON)

    @property
    def limits_money(self) -> bool:
        """Whether it can only be kept where every model has a price."""
        return self.won is not None or self.daily_won is not None

    def cap(self, span: str) -> Cap:
        """What may be spent in a ``month`` or a ``day``."""
        if span == "day":
            tokens, won = self.daily_tokens, self.daily_won
        else:
            tokens, won = self.tokens, self.won
        return Cap(tokens, None if won is None else won * MICROS_PER_WON)


class AgentBudget(Budget):
    """An agent's caps, and what happens when one is reached."""

    on_exhausted: Literal["embedded", "pause"] = "embedded"
    """``embedded``: go on without models; ``pause``: rest until people raise the cap."""


class Budgets(_Entry):
    """Caps beside the agents' own. Where these are reached, the embedded brain takes over."""

    company: Budget = Budget()
    institutions: dict[str, Budget] = {}


class BudgetedAgent(Protocol):
    """What of an agent's chart entry matters here."""

    @property
    def id(self) -> str: ...

    @property
    def brain(self) -> BrainChoice: ...

    @property
    def budget(self) -> AgentBudget: ...


def unpriced_models(
    agents: Iterable[BudgetedAgent], shared: Budgets, prices: Mapping[str, Price]
) -> list[tuple[str, str]]:
    """Agents and their models whose money is capped, but which have no price: such a cap would
    never be reached."""
    everyone = any(b.limits_money for b in (shared.company, *shared.institutions.values()))
    return [
        (agent.id, choice.model)
        for agent in agents
        if everyone or agent.budget.limits_money
        for choice in agent.brain.chain
        if choice.model not in prices
    ]
