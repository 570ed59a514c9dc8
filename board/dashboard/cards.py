"""The port of dashboard cards: one figure or list, shown with its permission."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, and_, true

from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo

PERIODS = (1, 7, 30, 90)
"""Days that a dashboard may look back."""


@dataclass(frozen=True, slots=True)
class CardFilters:
    """What a dashboard is limited to."""

    days: int = 30
    institution: str = ""
    server: str = ""

    def today(self, now: datetime) -> date:
        """Return the last day of the period in Seoul."""
        return now.astimezone(SEOUL).date()

    def first_day(self, now: datetime) -> date:
        """Return the first day of the period in Seoul."""
        return self.today(now) - timedelta(days=self.days)

    @property
    def query(self) -> str:
        """The filters as an address has them."""
        given = {"days": self.days, "institution": self.institution, "server": self.server}
        return urlencode({name: value for name, value in given.items() if value})

    def begins(self, now: datetime) -> datetime:
        """Return the beginning of the period."""
        return datetime.combine(self.first_day(now), datetime.min.time(), SEOUL)

    def tasks(self, viewer: PersonInfo) -> ColumnElement[bool]:
        """Return the condition for tasks, joined with their issues, that the viewer may see and
        that the filters admit.
        """
        institution = Issue.inst_id == self.institution if self.institution else true()
        server = Task.target_server == self.server if self.server else true()
        return and_(visible_to(viewer), institution, server)


NO_FILTERS = CardFilters()


@dataclass(frozen=True, slots=True)
class Series:
    """One row of values of a chart. `colour` names a colour of the style sheet."""

    name: str
    values: tuple[float, ...]
    colour: str = "primary"
    links: tuple[str, ...] = ()
    """Address of the issues behind each value; none if there are none to show."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars that the browser draws; the page shows the same figures as a table."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


Cell = str | int | float | date | None
"""A moment is a `datetime`, which is a `date` too."""


@dataclass(frozen=True, slots=True)
class CardTable:
    """The figures of a card as rows, for files, the API and the command line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def chart_table(given: Chart, first: str) -> CardTable:
    """Return the rows of a chart."""
    names = tuple(one.name for one in given.series)
    values = zip(given.labels, *(one.values for one in given.series), strict=True)
    return CardTable((first, *names), tuple(values))


class Card(Protocol):
    """What a page shows in one place; see "What adding costs" in CONTRIBUTING.md."""

    @property
    def name(self) -> str:
        """Name of its texts, `dashboard.<name>`, with at least a `title`."""

    @property
    def permission(self) -> str:
        """The permission without which it is neither read nor shown."""

    @property
    def template(self) -> str:
        """The part that shows it, as `render.part` takes it: `dashboard/<name>`."""

    @property
    def filters(self) -> frozenset[str]:
        """Which filters it follows: `days`, `institution`, `server`."""

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> object:
        """Return what the template shows as `card`, limited to what the person may see."""

    def table(self, data: Any, filters: CardFilters) -> CardTable:
        """Return the same figures as rows; `data` is what `read` returned."""


ALL_FILTERS = frozenset({"days", "institution", "server"})


@dataclass(frozen=True, slots=True)
class CardContent:
    """A card as one person sees it now."""

    name: str
    template: str
    data: object = field(repr=False)
    unused: tuple[str, ...] = ()
    """Filters that are chosen and that it does not follow."""
