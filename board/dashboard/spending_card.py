"""Card of the costs of models by institution."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.core.context import BoardContext
from guardia.board.costs.model import CostDay
from guardia.board.dashboard.cards import CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_MOST = 8


@dataclass(frozen=True, slots=True)
class Spending:
    """What one institution has cost."""

    name: str
    cost: int
    """Millionths of a won."""
    tokens: int
    calls: int
    commands: int


class SpendingCard:
    """Costs of the period, the highest first."""

    name = "spending"
    permission = "costs.read"
    template = "dashboard/spending"
    filters = frozenset({"days", "institution"})

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> tuple[Spending, ...]:
        """Sum the days of the period."""
        cost = func.sum(CostDay.cost)
        name = func.coalesce(Institution.inst_name, CostDay.inst_id)
        query = (
            select(
                name,
                cost,
                func.sum(CostDay.tokens_in + CostDay.tokens_out),
                func.sum(CostDay.calls),
                func.sum(CostDay.commands),
            )
            .outerjoin(Institution, Institution.inst_id == CostDay.inst_id)
            .where(CostDay.day >= filters.first_day(board.clock()))
            .group_by(name)
            .order_by(cost.desc(), name)
            .limit(_MOST)
        )
        if filters.institution:
            query = query.where(CostDay.inst_id == filters.institution)
        with board.database.reading() as session:
            return tuple(
                Spending(row[0] or "", *(int(value) for value in row[1:]))
                for row in session.execute(query).all()
            )

    def table(self, data: tuple[Spending, ...], filters: CardFilters) -> CardTable:
        """Return an institution a row; costs in won."""
        names = ("name", "cost", "tokens", "calls", "commands")
        return CardTable(
            tuple(t(f"dashboard.spending.{name}") for name in names),
            tuple(
                (
                    one.name or t("dashboard.spending.unknown"),
                    round(one.cost / 1_000_000, 2),
                    one.tokens,
                    one.calls,
                    one.commands,
                )
                for one in data
            ),
        )
