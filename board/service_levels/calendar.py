"""Counted time: work hours of the days that are no holidays, or every hour. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

from guardia.org.approvals import DAYS
from guardia.org.public_holidays import is_public_holiday
from guardia.org.service_levels import WorkHours

_DAY = timedelta(days=1)
_ZERO = timedelta(0)
_LONGEST_SEARCH = 3660
"""Days that are searched for a due time: ten years."""


class Calendar(Protocol):
    """What counts as time of a clock."""

    def between(self, begins: datetime, ends: datetime) -> timedelta:
        """Return the counted time between two moments; zero if they are in reverse order."""

    def after(self, begins: datetime, amount: timedelta) -> datetime:
        """Return the first moment by which this much time has been counted."""


@dataclass(frozen=True, slots=True)
class EveryHour:
    """Counts day and night."""

    def between(self, begins: datetime, ends: datetime) -> timedelta:
        """Return the time between two moments."""
        return max(_ZERO, ends - begins)

    def after(self, begins: datetime, amount: timedelta) -> datetime:
        """Return the moment this much later."""
        return begins + max(_ZERO, amount)


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Work hours of a zone, without public holidays and days that were closed by hand."""

    hours: WorkHours
    zone: tzinfo
    closed: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()
    """Days that are worked although they are holidays or weekends."""
    is_holiday: Callable[[date], bool] = is_public_holiday

    def is_workday(self, day: date) -> bool:
        """Return whether a day has work hours; what was added by hand comes first."""
        if day in self.closed:
            return False
        if day in self.opened:
            return True
        return DAYS[day.weekday()] in self.hours.days and not self.is_holiday(day)

    def between(self, begins: datetime, ends: datetime) -> timedelta:
        """Return the work time between two moments; zero if they are in reverse order."""
        total, first = _ZERO, begins.astimezone(self.zone).date()
        last = ends.astimezone(self.zone).date()
        for number in range((last - first).days + 1):
            for opens, closes in self._spans(first + number * _DAY):
                total += max(_ZERO, min(closes, ends) - max(opens, begins))
        return total

    def after(self, begins: datetime, amount: timedelta) -> datetime:
        """Return the first moment by which this much work time has been counted.

        A calendar that is closed for ten years counts every hour after them.
        """
        if amount <= _ZERO:
            return begins
        left, first = amount, begins.astimezone(self.zone).date()
        for number in range(_LONGEST_SEARCH):
            for opens, closes in self._spans(first + number * _DAY):
                length = max(_ZERO, closes - max(opens, begins))
                if length >= left:
                    return (max(opens, begins) + left).astimezone(UTC)
                left -= length
        return begins + _LONGEST_SEARCH * _DAY + left

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the work time of a day, in UTC so that differences are real time."""
        if not self.is_workday(day):
            return
        hours, lunch = self.hours, self.hours.lunch
        edges = [hours.begins, hours.ends]
        if lunch is not None:
            edges = [hours.begins, lunch.begins, lunch.ends, hours.ends]
        moments = [datetime.combine(day, edge, self.zone).astimezone(UTC) for edge in edges]
        yield from zip(moments[::2], moments[1::2], strict=True)
