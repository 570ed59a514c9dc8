"""Estimate the monthly cost of a new agent from the chart's prices and its peers' usage.

A model's tokens per task in the last 30 days, times the tasks for its skills in the same period:
simple enough to be explained in one line beside the figure.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.model import Issue, Task
from guardia.board.costs import budget_accounts
from guardia.board.costs.model import CostDay
from guardia.org import revisions
from guardia.org.budgets import MICROS_PER_WON, Amount
from guardia.org.chart_model import AgentEntry, OrgChart

PERIOD_DAYS = 30
"""Days in both "recent" and "a month"."""


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """An expected cost and its basis."""

    won: int | None
    """Won a month; `None` if it cannot be estimated."""
    basis: dict[str, Any]
    """`brain`: the chart entry that the agent begins with, as JSON; `model`: the first in its
    chain (empty: none); `tokens`: average per task; `tasks`: per month; `priced`.
    """


@dataclass(frozen=True, slots=True)
class RemainingBudget:
    """What is left of the company's budget for this month."""

    won: int | None
    """`None`: no cap."""
    days: int
    """From today to the end of the month."""
    days_in_month: int
    """Days of the month."""

    def short(self, monthly: int | None) -> int | None:
        """Return what an agent would cost until the month ends, if that exceeds the budget."""
        share = -(-(monthly or 0) * self.days // self.days_in_month)
        return share if self.won is not None and share > self.won else None


def estimate_cost(session: Session, skills: tuple[str, ...], now: datetime) -> CostEstimate:
    """Estimate the cost of an agent with these skills and the most common brain of its peers."""
    running = revisions.running_chart(session)
    peers = _peers(running)
    if not peers or not peers[0].brain.models_in_order:
        return CostEstimate(0, {"brain": "", "model": ""})
    brain = peers[0].brain
    model = brain.models_in_order[0].model
    tasks = max(1, _tasks(session, Issue.category.in_(skills), now))
    handled = _tasks(session, Task.agent_id.in_([p.id for p in peers]), now)
    tokens_in, tokens_out = _tokens_used(session, [p.id for p in peers], model, running, now)
    price = running.prices.get(model)
    won = None
    if price is not None and handled and tokens_in + tokens_out:
        # Rounded up to a whole won, so that a cost is never shown as zero.
        won = -(-price.cost(tokens_in, tokens_out) * tasks // (handled * MICROS_PER_WON))
    return CostEstimate(
        won,
        {
            "brain": brain.model_dump_json(exclude_defaults=True),
            "model": model,
            "tokens": (tokens_in + tokens_out) // handled if handled else 0,
            "tasks": tasks,
            "priced": price is not None,
        },
    )


def remaining_budget(session: Session, now: datetime) -> RemainingBudget:
    """Return what is left of the company's budget this month."""
    running = revisions.running_chart(session)
    day = budget_accounts.today(running, now)
    month = next(
        a
        for a in budget_accounts.read_accounts(session, "", "", day)
        if (a.scope, a.span) == ("company", "month")
    )
    cap = budget_accounts.cap(running, month).cost
    gone: Amount = budget_accounts.spent(month) + budget_accounts.reserved(month)
    left = None if cap is None else max(0, cap - gone.cost) // MICROS_PER_WON
    days_in_month = monthrange(day.year, day.month)[1]
    return RemainingBudget(left, days_in_month - day.day + 1, days_in_month)


def _peers(running: OrgChart) -> list[AgentEntry]:
    """Return the largest group of internal specialists that share a brain configuration."""
    own = [a for a in running.agents if a.duty == "operate" and a.adapter is None]
    usual = Counter(a.brain for a in own).most_common(1)
    return [a for a in own if a.brain == usual[0][0]] if usual else []


def _tasks(session: Session, which: Any, now: datetime) -> int:
    query = select(func.count()).select_from(Task).join(Issue, Issue.sr_id == Task.sr_id)
    recent = Task.created_at >= now - timedelta(days=PERIOD_DAYS)
    return session.scalar(query.where(recent, which)) or 0


def _tokens_used(
    session: Session, agents: list[str], model: str, running: OrgChart, now: datetime
) -> tuple[int, int]:
    since: date = budget_accounts.today(running, now) - timedelta(days=PERIOD_DAYS)
    query = select(func.sum(CostDay.tokens_in), func.sum(CostDay.tokens_out)).where(
        CostDay.agent_id.in_(agents), CostDay.model == model, CostDay.day >= since
    )
    tokens_in, tokens_out = session.execute(query).one()
    return int(tokens_in or 0), int(tokens_out or 0)
