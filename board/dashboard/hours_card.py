"""Card of the load by hour of the day: tasks that began, and lines in watched rooms."""

from __future__ import annotations

from guardia.board.core.context import BoardContext
from guardia.board.dashboard import figures, links
from guardia.board.dashboard.cards import (
    ALL_FILTERS,
    CardFilters,
    CardTable,
    Chart,
    Series,
    chart_table,
)
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_HOURS = tuple(f"{hour:02d}" for hour in range(24))


class HoursCard:
    """When work comes. Rooms have no institution: lines are those of all rooms."""

    name = "hours"
    permission = "plan.read"
    template = "dashboard/hours"
    filters = ALL_FILTERS

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> Chart:
        """Read the sums by hour of the day in Seoul."""
        since = filters.first_day(board.clock())
        everything = CardFilters(filters.days)
        with board.database.reading() as session:
            tasks = figures.sums(session, person, filters, ["task_hour"], by=["part"], since=since)
            lines = figures.sums(
                session, person, everything, ["line_hour"], by=["part"], since=since
            )
        work = {figure.part: figure.n for figure in tasks}
        talk = {figure.part: figure.n for figure in lines}
        limited = filters.institution or filters.server
        return Chart(
            t("dashboard.hours.title"),
            _HOURS,
            (
                Series(
                    t("dashboard.hours.tasks"),
                    tuple(work.get(hour, 0) for hour in _HOURS),
                    links=tuple(
                        links.with_task(filters, f"since={since}", f"hour={hour}")
                        for hour in _HOURS
                    ),
                ),
                Series(
                    t("dashboard.hours.all_lines" if limited else "dashboard.hours.lines"),
                    tuple(talk.get(hour, 0) for hour in _HOURS),
                    "gray",
                ),
            ),
        )

    def table(self, data: Chart, filters: CardFilters) -> CardTable:
        """Return an hour a row."""
        return chart_table(data, t("dashboard.column.hour"))
