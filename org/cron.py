"""Parser for the five fields of crontab expressions: the only one.

The scheduler gets the numbers that were found here, never the text, so everything that the chart
accepts can run. Week days are named, because crontab and APScheduler number them differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MAX_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[A-Za-z0-9]{1,4})(?:-([A-Za-z0-9]{1,4}))?(?:/([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class _CronField:
    first: int
    last: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> list[int]:
        """Return the numbers that a field means. Raises `ValueError` if it is malformed."""
        return sorted({n for part in text.split(",") for n in self._part(part)})

    def _part(self, part: str) -> Iterator[int]:
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(part)
        every, step = found[1] == "*", int(found[3] or 1)
        begin = self.first if every else self._number(found[1])
        end = self._number(found[2]) if found[2] else self.last if every or found[3] else begin
        if step < 1 or begin > end or (every and found[2]):
            raise ValueError(part)
        yield from range(begin, end + 1, step)

    def _number(self, word: str) -> int:
        if word.lower() in self.names:
            return self.first + self.names.index(word.lower())
        number = int(word)
        if not self.first <= number <= self.last:
            raise ValueError(word)
        return number


_FIELDS = (
    _CronField(0, 59),
    _CronField(0, 23),
    _CronField(1, 31),
    _CronField(1, 12, _MONTHS),
    _CronField(0, 7, (*_DAYS, "sun")),
)


def parse(text: str) -> list[list[int]]:
    """Return the numbers of each field.

    Raises `ValueError` if the expression is malformed or if no date ever matches it.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(text)
    found = [field.values(part) for field, part in zip(_FIELDS, fields, strict=True)]
    if not any(found[2][0] <= _MAX_DAYS[month - 1] for month in found[3]):
        raise ValueError(text)
    return found


def restricts_both_day_fields(text: str) -> bool:
    """Return whether it restricts both day of month and day of week.

    crontab then means either and other programs mean both, so the expression is ambiguous.
    """
    fields = text.split()
    return fields[2] != "*" and fields[4] != "*"


def scheduled_fields(text: str) -> dict[str, str]:
    """Return the moments of an expression as APScheduler's fields, each number listed."""
    minute, hour, day, month, weekdays = parse(text)
    named = dict.fromkeys(_DAYS[number % 7] for number in weekdays)
    numbers = {"minute": minute, "hour": hour, "day": day, "month": month}
    fields = {name: ",".join(map(str, found)) for name, found in numbers.items()}
    return {**fields, "day_of_week": ",".join(named)}
