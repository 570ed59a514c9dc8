"""Read the periods of a freeze out of a sentence, as lines that the form of a rule reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TO = r"\s*(?:일\s*)?(?:부터|에서|~|-)\s*"
_DAY = r"(?:(\d{4})\s*[년.]\s*)?(\d{1,2})\s*월\s*(\d{1,2})\s*일?"
_DATES = re.compile(_DAY + _TO + _DAY)
_TO_END = re.compile(r"(?:매월|매달|월말)\s*(\d{1,2})\s*일?\s*(?:부터|~|-)\s*(?:말일|월말|말)")
_LAST = re.compile(
    r"(?:매월|매달)?\s*(?:월말|말일|말)\s*(?:전\s*)?(\d{1,2})\s*일\s*(?:간|동안|전)?"
)
_FIRST = re.compile(r"(?:매월|매달)\s*(?:초\s*|1\s*일\s*(?:부터|~|-)\s*)(\d{1,2})\s*일")
_WEEKLY = re.compile(
    r"매주\s*([월화수목금토일])(?:요일)?\s*(\d{1,2})\s*(?::(\d\d)|시)?\s*(?:부터|~|-)\s*"
    r"(\d{1,2})\s*(?::(\d\d)|시)"
)
_DAYS_OF_MONTH, _HOURS = 31, 24


def read_periods(sentence: str) -> tuple[str, ...]:
    """Return the periods that a sentence names; none if it names none that can be written."""
    return tuple(dict.fromkeys(_read(sentence)))


def _read(sentence: str) -> Iterator[str]:
    for found in _DATES.finditer(sentence):
        yield from _dates(*found.groups())
    if to_end := _TO_END.search(sentence):
        # Counted in a month of 31 days, so that no day of a shorter one is left out.
        yield from _month("말", _DAYS_OF_MONTH + 1 - int(to_end[1]))
    elif first := _FIRST.search(sentence):
        yield from _month("초", int(first[1]))
    elif last := _LAST.search(sentence):
        yield from _month("말", int(last[1]))
    for day, begin, minute, end, until in _WEEKLY.findall(sentence):
        hours = int(begin), int(end)
        if hours[0] < hours[1] <= _HOURS:
            ends = "23:59" if hours[1] == _HOURS else f"{hours[1]:02}:{until or '00'}"
            yield f"매주 {day} {hours[0]:02}:{minute or '00'}~{ends}"


def _dates(
    year: str | None, month: str, day: str, last_year: str | None, last_month: str, last_day: str
) -> Iterator[str]:
    begin, end = (int(month), int(day)), (int(last_month), int(last_day))
    if not all(1 <= m <= 12 and 1 <= d <= _DAYS_OF_MONTH for m, d in (begin, end)):
        return
    if year is None:
        yield f"매년 {begin[0]:02}-{begin[1]:02}~{end[0]:02}-{end[1]:02}"
        return
    until = int(last_year) if last_year else int(year) + (end < begin)
    yield f"{year}-{begin[0]:02}-{begin[1]:02} 00:00~{until}-{end[0]:02}-{end[1]:02} 23:59"


def _month(which: str, days: int) -> Iterator[str]:
    if 1 <= days < _DAYS_OF_MONTH:
        yield f"매월 {which} {days}일"
