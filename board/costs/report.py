"""Cost reports from daily sums.

Their size depends on days, agents and models, not on the number of model calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.costs import budget_accounts, budgets
from guardia.board.costs.model import BudgetAccount, BudgetPause, CostDay, CostIssue, ModelCall
from guardia.org import revisions
from guardia.org.budgets import Amount, Budget, Cap
from guardia.org.chart_model import OrgChart
from guardia.org.model import Agent, Institution

GroupBy = Literal["agent", "model", "institution", "issue", "day", "month"]
GROUPS: tuple[GroupBy, ...] = ("agent", "model", "institution", "issue", "day", "month")
_SUMS = (
    "calls", "unused", "tokens_in", "tokens_out", "cost", "latency_ms", "runs", "wall_ms",
    "commands", "command_ms",
)  # fmt: skip
_ISSUES = 50
_MONTHS = 12
_CALLS = 50


@dataclass(frozen=True, slots=True)
class CostLine:
    """Costs of one agent, model, institution, issue, day or month."""

    key: str
    """Its id; empty for work without a model or with an unknown institution."""
    title: str
    calls: int = 0
    unused: int = 0
    """Calls whose answer was not used, or that were refused."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    """Millionths of a won."""
    latency_ms: int = 0
    """Sum over all calls."""
    runs: int = 0
    wall_ms: int = 0
    commands: int = 0
    command_ms: int = 0

    @property
    def tokens(self) -> int:
        """Return the tokens of questions and answers."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A budget and what was spent of it."""

    scope: str
    scope_id: str
    title: str
    month: Amount
    month_cap: Cap
    day: Amount
    day_cap: Cap
    rests: bool = False
    """Whether the agent is paused until people raise it."""
    token: str = ""
    """What the form that raises it is bound to."""

    @property
    def share(self) -> int | None:
        """Return the percentage spent of the month's cap."""
        return self.month_cap.percent_used(self.month)


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs of one month."""

    month: date
    current: bool
    """Whether it is the current month: only its budgets can be compared and raised."""
    total: CostLine
    budget_statuses: tuple[BudgetStatus, ...]
    agents: tuple[CostLine, ...]
    institutions: tuple[CostLine, ...]
    models: tuple[CostLine, ...]
    days: tuple[CostLine, ...]
    issues: tuple[CostLine, ...]
    """The most expensive ones."""
    issue_count: int = 0
    """Number of all issues with costs."""


@dataclass(frozen=True, slots=True)
class ModelCallView:
    """One model call, as an issue shows it."""

    actor: str
    """`agent:…`."""
    question: str
    model: str
    prompt_version: str
    outcome: str | None
    """`None` while the answer is pending."""
    why: str
    tokens_in: int
    tokens_out: int
    estimated: bool
    cost: int
    latency_ms: int


def this_month(board: BoardContext) -> date:
    """Return the first day of the current month in the company's time zone."""
    with board.database.reading() as session:
        return budget_accounts.today(revisions.running_chart(session), board.clock()).replace(day=1)


def cost_lines(board: BoardContext, by: GroupBy, month: date) -> tuple[CostLine, ...]:
    """Return the costs of a month, highest first; by `month`, of the twelve months that end with
    it.
    """
    with board.database.reading() as session:
        return _lines(session, by, month)


def budget_statuses(board: BoardContext) -> tuple[BudgetStatus, ...]:
    """Return the current budgets of every agent, and of institutions and company if capped."""
    with board.database.reading() as session:
        running = revisions.running_chart(session)
        return _budget_statuses(session, running, budget_accounts.today(running, board.clock()))


def cost_report(board: BoardContext, month: date) -> CostReport:
    """Return everything that a page shows of one month, in one snapshot."""
    with board.database.reading() as session:
        running = revisions.running_chart(session)
        today = budget_accounts.today(running, board.clock())
        current = month == today.replace(day=1)
        agents = _lines(session, "agent", month)
        return CostReport(
            month=month,
            current=current,
            total=_total(agents),
            budget_statuses=_budget_statuses(session, running, today) if current else (),
            agents=agents,
            institutions=_lines(session, "institution", month),
            models=_lines(session, "model", month),
            days=_lines(session, "day", month),
            issues=_lines(session, "issue", month),
            issue_count=_count_issues(session, month),
        )


def _count_issues(session: Session, month: date) -> int:
    return session.scalar(select(func.count()).where(CostIssue.month == month)) or 0


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """The latest model calls for an issue, oldest first, and how many there are in all."""

    latest: tuple[ModelCallView, ...] = ()
    total: int = 0


def model_calls(session: Session, sr_id: int) -> ModelCalls:
    """Return the latest model calls for an issue."""
    rows = session.execute(
        select(ModelCall, func.count().over())
        .where(ModelCall.sr_id == sr_id)
        .order_by(ModelCall.call_id.desc())
        .limit(_CALLS)
    ).all()
    found = [call for call, _ in rows]
    names = [name for name in ModelCallView.__slots__ if name != "actor"]
    latest = tuple(
        ModelCallView(
            actor=str(Actor.agent(c.agent_id)), **{name: getattr(c, name) for name in names}
        )
        for c in reversed(found)
    )
    return ModelCalls(latest, rows[0][1] if rows else 0)


def _total(parts: Sequence[CostLine]) -> CostLine:
    return CostLine("", "", **{name: sum(getattr(p, name) for p in parts) for name in _SUMS})


def next_month(month: date, by: int = 1) -> date:
    """Return the first day of the month `by` months later."""
    months = month.year * 12 + month.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def _lines(session: Session, by: GroupBy, month: date) -> tuple[CostLine, ...]:
    if by == "issue":
        return _by_issue(session, month)
    first = next_month(month, 1 - _MONTHS) if by == "month" else month
    sums: list[ColumnElement[Any]] = [
        func.sum(getattr(CostDay, name)).label(name) for name in _SUMS
    ]
    key = _key(by)
    query = (
        select(key.label("key"), *sums)
        .where(CostDay.day >= first, CostDay.day < next_month(month))
        .group_by(key)
        .order_by(key)
    )
    rows = session.execute(query).all()
    titles = _titles(session, by, [str(row.key) for row in rows])
    made = [
        CostLine(
            key=_label(by, row.key),
            title=titles.get(str(row.key), _label(by, row.key)),
            **{name: int(getattr(row, name)) for name in _SUMS},
        )
        for row in rows
    ]
    if by == "model":
        made = [line for line in made if line.key]
    if by in ("day", "month"):
        return tuple(made)
    return tuple(sorted(made, key=lambda line: (-line.cost, -line.tokens, line.title)))


def _key(by: GroupBy) -> Any:
    if by == "month":
        return func.date_trunc("month", CostDay.day)
    return {
        "agent": CostDay.agent_id,
        "model": CostDay.model,
        "institution": CostDay.inst_id,
        "day": CostDay.day,
    }[by]


def _label(by: GroupBy, key: Any) -> str:
    return f"{key:%Y-%m}" if by == "month" else str(key)


def _titles(session: Session, by: GroupBy, keys: Sequence[str]) -> dict[str, str]:
    if by == "agent":
        named = select(Agent.agent_id, Agent.title).where(Agent.agent_id.in_(keys))
    elif by == "institution":
        named = select(Institution.inst_id, Institution.inst_name).where(
            Institution.inst_id.in_(keys)
        )
    else:
        return {}
    return {row[0]: row[1] for row in session.execute(named)}


def _by_issue(session: Session, month: date) -> tuple[CostLine, ...]:
    names = ("calls", "tokens_in", "tokens_out", "cost", "commands", "command_ms")
    rows = session.execute(
        select(CostIssue, Issue.title)
        .join(Issue, Issue.sr_id == CostIssue.sr_id)
        .where(CostIssue.month == month)
        .order_by(CostIssue.cost.desc(), CostIssue.sr_id)
        .limit(_ISSUES)
    )
    return tuple(
        CostLine(str(c.sr_id), title, **{name: getattr(c, name) for name in names})
        for c, title in rows
    )


def _budget_statuses(session: Session, chart: OrgChart, today: date) -> tuple[BudgetStatus, ...]:
    month = today.replace(day=1)
    found = session.scalars(
        select(BudgetAccount).where(
            ((BudgetAccount.span == "month") & (BudgetAccount.begins == month))
            | ((BudgetAccount.span == "day") & (BudgetAccount.begins == today))
        )
    )
    known = {(a.scope, a.scope_id, a.span): a for a in found}
    paused = set(
        session.scalars(select(BudgetPause.agent_id).where(BudgetPause.ended_at.is_(None)))
    )
    institutions = _titles(session, "institution", list(chart.budgets.institutions))
    scopes = [("agent", a.id, a.title) for a in chart.agents]
    scopes += [("institution", i, institutions.get(i, i)) for i in chart.budgets.institutions]
    scopes += [("company", budget_accounts.COMPANY, chart.company.name)]
    return tuple(
        _budget_status(chart, known, scope, title, paused, today)
        for *scope, title in scopes
        if scope[0] == "agent" or _has_cap(budget_accounts.budget(chart, *scope))
    )


def _has_cap(budget: Budget) -> bool:
    return not (budget.cap("month").is_unlimited and budget.cap("day").is_unlimited)


def _budget_status(
    chart: OrgChart,
    known: dict[tuple[str, str, str], BudgetAccount],
    scope: Sequence[str],
    title: str,
    paused: set[str],
    today: date,
) -> BudgetStatus:
    kind, name = scope
    month, day = (
        known.get((kind, name, span)) or budget_accounts.empty_account(kind, name, span, today)
        for span in ("month", "day")
    )
    return BudgetStatus(
        kind,
        name,
        title,
        budget_accounts.spent(month),
        budget_accounts.cap(chart, month),
        budget_accounts.spent(day),
        budget_accounts.cap(chart, day),
        rests=kind == "agent" and name in paused,
        token=budgets.cap_token(month, chart),
    )
