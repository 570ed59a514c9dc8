"""Read a month, a week or a list of the change calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Literal

from guardia.board.change_calendar import entries
from guardia.board.change_calendar.entries import CalendarEntry
from guardia.board.core.context import BoardContext
from guardia.board.execution import planned_changes
from guardia.board.execution.planned_changes import ChangeConflict
from guardia.board.service_levels import calendar_view
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import registry, revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

CalendarShape = Literal["month", "week", "agenda"]
SHAPES: tuple[CalendarShape, ...] = ("month", "week", "agenda")
_PERMISSION = "change.read"
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_AGENDA = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DayOfChanges:
    """One day of the calendar."""

    day: date
    entries: tuple[CalendarEntry, ...]
    holiday: str
    """Name of the day off; empty on others."""
    is_outside: bool
    """Whether it belongs to another month than the one that is shown."""
    is_today: bool


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A part of the calendar."""

    shape: CalendarShape
    day: date
    days: tuple[DayOfChanges, ...]
    before: date
    after: date
    """Days of the previous and the next part."""
    without_time: tuple[CalendarEntry, ...]
    institution: str
    server: str
    institutions: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is planned."""
        return not any(one.entries for one in self.days)


def read_page(
    board: BoardContext,
    viewer: PersonInfo | None,
    shape: str = "month",
    day: str = "",
    institution: str = "",
    server: str = "",
) -> ChangePage:
    """Return a part of the calendar around a day, by default today; `None`: for the operator.

    Raises `Invalid` for an unknown shape or another form of a day.
    """
    if viewer is not None:
        require_permission(viewer, _PERMISSION)
    if shape not in SHAPES:
        raise Invalid(what=shape[:40], why=t("changes.shapes"), field="view")
    with board.database.reading() as session:
        _, zone = revisions.service_levels(session)
        today = board.current_time().astimezone(zone).date()
        chosen = _parse_day(day) if day else today
        first, last = _bounds(shape, chosen)
        begins, ends = _midnight(first, zone), _midnight(last, zone)
        found = entries.entries_between(session, begins, ends, institution, server)
        off = {
            one.day: one.name
            for one in calendar_view.days_between(session, first, last)
            if not one.is_open and one.institution in ("", institution)
        }
        days = [first + number * _DAY for number in range((last - first).days)]
        return ChangePage(
            shape,
            chosen,
            tuple(
                DayOfChanges(
                    one,
                    tuple(entry for entry in found if _is_on(entry, one, zone)),
                    off.get(one, ""),
                    shape == "month" and one.month != chosen.month,
                    one == today,
                )
                for one in days
            ),
            _shifted(shape, chosen, -1),
            _shifted(shape, chosen, 1),
            tuple(entries.without_time(session, institution, server)),
            institution,
            server,
            tuple(registry.institution_ids(session)),
        )


def conflicts(
    board: BoardContext, viewer: PersonInfo | None, server: str, at: datetime | None
) -> tuple[ChangeConflict, ...]:
    """Return what a change of a server at a time would collide with."""
    if viewer is not None:
        require_permission(viewer, _PERMISSION)
    with board.database.reading() as session:
        return planned_changes.conflicts_of(session, server, at)


def _bounds(shape: CalendarShape, day: date) -> tuple[date, date]:
    """Return the first day that is shown and the one after the last; weeks begin on Sunday."""
    if shape == "agenda":
        return day, day + _AGENDA
    if shape == "week":
        first = _sunday(day)
        return first, first + _WEEK
    month = day.replace(day=1)
    following = (month + 31 * _DAY).replace(day=1)
    last = _sunday(following - _DAY) + _WEEK
    return _sunday(month), last


def _sunday(day: date) -> date:
    return day - ((day.weekday() + 1) % 7) * _DAY


def _shifted(shape: CalendarShape, day: date, by: int) -> date:
    if shape == "month":
        month = day.replace(day=1)
        return (month + 31 * _DAY).replace(day=1) if by > 0 else (month - _DAY).replace(day=1)
    return day + by * (_WEEK if shape == "week" else _AGENDA)


def _is_on(entry: CalendarEntry, day: date, zone: tzinfo) -> bool:
    if entry.begins is None:
        return False
    first = entry.begins.astimezone(zone)
    last = (entry.ends or entry.begins).astimezone(zone)
    if last > first:
        last -= timedelta(microseconds=1)
    return first.date() <= day <= last.date()


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _parse_day(given: str) -> date:
    try:
        found = date.fromisoformat(given)
    except ValueError:
        raise Invalid(what=given[:40], why=t("service.day.form"), field="day") from None
    if not 2000 <= found.year < 2200:
        raise Invalid(what=given, why=t("service.day.form"), field="day")
    return found
