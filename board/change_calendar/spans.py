"""The occurrences of freezes and other periods in a part of the calendar. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta, tzinfo

from guardia.board.site_rules.periods import Dates, Period, Weekly

_DAY = timedelta(days=1)


def occurrences(
    periods: Iterable[Period], begins: datetime, ends: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield begin and end of each occurrence in a part of the calendar, in order."""
    for period in periods:
        if isinstance(period, Dates):
            first, last = (_zoned(one, zone) for one in (period.begins, period.ends))
            if first < ends and last > begins:
                yield first, last
        else:
            yield from _recurring(period, begins, ends, zone)


def _recurring(
    period: Period, begins: datetime, ends: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    # A day earlier, for what crosses midnight; a longer one is cut to what is in the part.
    day, last = begins.astimezone(zone).date() - _DAY, ends.astimezone(zone).date()
    starts_at = period.begins if isinstance(period, Weekly) else time(0)
    over: datetime | None = None
    while day <= last:
        start = datetime.combine(day, starts_at, zone)
        end = period.end_at(start)
        if end is not None and (over is None or start >= over):
            over = end
            if start < ends and end > begins:
                yield start, end
        day += _DAY


def _zoned(given: datetime, zone: tzinfo) -> datetime:
    return given if given.tzinfo else given.replace(tzinfo=zone)
