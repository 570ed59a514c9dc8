"""Card of the agents' autonomy: what they finished, what failed, and what needed a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import label
from guardia.board.core.lifecycle import State
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import ALL_FILTERS, CardFilters, CardTable
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_SHOWN = (
    State.IN_PROGRESS,
    State.COMPLETED,
    State.FAILED_ROLLBACK,
    State.ROLLED_BACK,
    State.REJECTED,
    State.MANUAL,
)


@dataclass(frozen=True, slots=True)
class AutonomyFigures:
    """Tasks of agents that were opened in the period."""

    by_state: tuple[tuple[State, int, str], ...]
    """State, number, and the address of their issues."""
    completed: int
    alone: int
    """Completed tasks on which no person decided or intervened."""
    mean: timedelta | None
    """Mean time of completed tasks, from receipt to the end."""
    alone_link: str

    @property
    def alone_percent(self) -> int:
        """Share of the completed tasks without a person, rounded down."""
        return 100 * self.alone // self.completed if self.completed else 0


class AutonomyCard:
    """Results of the agents' work."""

    name = "agents_work"
    permission = "plan.read"
    template = "dashboard/agents_work"
    filters = ALL_FILTERS

    def read(
        self, board: BoardContext, person: PersonInfo, filters: CardFilters
    ) -> AutonomyFigures:
        """Read the sums."""
        since = filters.first_day(board.clock())
        measures = ["agent_state", "agent_alone", "agent_ms"]
        with board.database.reading() as session:
            found = figures.sums(session, person, filters, measures, by=["part"], since=since)
        numbers = {(figure.measure, figure.part): figure.n for figure in found}
        completed = numbers.get(("agent_state", State.COMPLETED.value), 0)
        spent = timedelta(milliseconds=numbers.get(("agent_ms", ""), 0))
        period = f"since={since}"
        return AutonomyFigures(
            tuple(
                (
                    state,
                    numbers.get(("agent_state", state.value), 0),
                    links.with_task(filters, state.value.lower(), "agent", period),
                )
                for state in _SHOWN
            ),
            completed=completed,
            alone=numbers.get(("agent_alone", ""), 0),
            mean=spent / completed if completed else None,
            alone_link=links.with_task(filters, "alone", period),
        )

    def table(self, data: AutonomyFigures, filters: CardFilters) -> CardTable:
        """Return the states, then the shares."""
        columns = (t("dashboard.column.figure"), t("dashboard.column.number"))
        rows = [(label("state", state.value), number) for state, number, _ in data.by_state]
        rows.append((t("dashboard.agents_work.alone"), data.alone))
        if data.mean is not None:
            rows.append((t("dashboard.agents_work.mean_seconds"), round(data.mean.total_seconds())))
        return CardTable(columns, tuple(rows))
