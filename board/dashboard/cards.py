"""The port of dashboard cards: one figure or list, shown with its permission."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, and_, true

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.org.directory import PersonInfo

PERIODS = (1, 7, 30, 90)
"""Days that a dashboard may look back."""


@dataclass(frozen=True, slots=True)
class CardFilters:
    """What a dashboard is limited to."""

    days: int = 30
    institution: str = ""

    def begins(self, now: datetime) -> datetime:
        """Return the beginning of the period."""
        return now - timedelta(days=self.days)

    def issues(self, viewer: PersonInfo) -> ColumnElement[bool]:
        """Return the condition for issues that the viewer may see and that the filters admit."""
        chosen = Issue.inst_id == self.institution if self.institution else true()
        return and_(visible_to(viewer), chosen)


NO_FILTERS = CardFilters()


@dataclass(frozen=True, slots=True)
class Series:
    """One row of values of a chart. `colour` names a colour of the style sheet."""

    name: str
    values: tuple[float, ...]
    colour: str = "primary"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars that the browser draws; the page shows the same figures as a table."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


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

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> object:
        """Return what the template shows as `card`, limited to what the person may see."""


@dataclass(frozen=True, slots=True)
class CardContent:
    """A card as one person sees it now."""

    name: str
    template: str
    data: object = field(repr=False)
