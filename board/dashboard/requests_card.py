"""Card of the requests: how many are in which state, and how many came and ended by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import (
    ALL_FILTERS,
    CardFilters,
    CardTable,
    Chart,
    Series,
    chart_table,
)
from guardia.board.dashboard.figures import Figure
from guardia.i18n import t
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Open requests by state, and the requests of the period by day."""

    open: int
    by_state: tuple[tuple[State, int, str], ...]
    """State, number, and the address of these requests."""
    chart: Chart
    link: str
    days: tuple[date, ...]


class RequestsCard:
    """Requests that the viewer may see."""

    name = "requests"
    permission = "issue.read"
    template = "dashboard/requests"
    filters = ALL_FILTERS

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> RequestFigures:
        """Read the sums."""
        today = filters.today(board.clock())
        since = filters.first_day(board.clock())
        with board.database.reading() as session:
            states = figures.sums(session, person, filters, ["issue_state"], by=["part"])
            measures = ["issue", "issue_ended"]
            by_day = figures.sums(session, person, filters, measures, by=["day"], since=since)
        found = {figure.part: figure.n for figure in states}
        counted = tuple(
            (state, found[state.value], links.by_state(filters, state))
            for state in State
            if state in OPEN_STATES and state.value in found
        )
        return RequestFigures(
            sum(number for _, number, _ in counted),
            counted,
            _chart(filters, by_day, since, today),
            links.open_issues(filters),
            tuple(_days(since, today)),
        )

    def table(self, data: RequestFigures, filters: CardFilters) -> CardTable:
        """Return the days."""
        plain = chart_table(data.chart, t("dashboard.column.day"))
        dated = zip(data.days, plain.rows, strict=True)
        return CardTable(plain.columns, tuple((day, *row[1:]) for day, row in dated))


def _days(since: date, today: date) -> list[date]:
    return [since + timedelta(days=n) for n in range((today - since).days + 1)]


def _chart(filters: CardFilters, found: list[Figure], since: date, today: date) -> Chart:
    days = _days(since, today)
    numbers = {(figure.measure, figure.day): figure.n for figure in found}

    def series(name: str, measure: str, word: str, colour: str) -> Series:
        return Series(
            t(f"dashboard.requests.{name}"),
            tuple(numbers.get((measure, day), 0) for day in days),
            colour,
            tuple(links.issues(filters, links.on_day(word, day)) for day in days),
        )

    return Chart(
        t("dashboard.requests.by_day"),
        tuple(f"{day:%m-%d}" for day in days),
        (
            series("came", "issue", "created", "primary"),
            series("ended", "issue_ended", "closed", "success"),
        ),
    )
