"""Periods of the issue filter: `>=2026-11-01`, `2026-11-01..2026-11-30`, `@today-7d`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from guardia.board.core.labels import SEOUL

_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_TODAY = re.compile(r"(?:@today|오늘)(?:([+-]\d{1,4})([dwmy일주달년]))?", re.IGNORECASE)
_DAYS = {"d": 1, "일": 1, "w": 7, "주": 7, "m": 30, "달": 30, "y": 365, "년": 365}
_COMPARED = re.compile(r"(>=|<=|>|<)(.+)")


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment until before the second; `None` where it is open."""

    start: datetime | None = None
    end: datetime | None = None


def read_period(value: str, today: date) -> Period:
    """Return the period that a value means, in Seoul. Raises `ValueError` if it is none."""
    if compared := _COMPARED.fullmatch(value):
        return _compared(compared[1], _single(compared[2], today))
    first, dots, last = value.partition("..")
    if not dots:
        return _single(value, today)
    start = Period() if first in ("", "*") else _single(first, today)
    end = Period() if last in ("", "*") else _single(last, today)
    found = Period(start.start, end.end)
    if found.start is None and found.end is None:
        raise ValueError(value)
    if found.start and found.end and found.start >= found.end:
        raise ValueError(value)
    return found


def _compared(sign: str, period: Period) -> Period:
    return {
        ">=": Period(start=period.start),
        ">": Period(start=period.end),
        "<": Period(end=period.start),
        "<=": Period(end=period.end),
    }[sign]


def _single(value: str, today: date) -> Period:
    """Return the year, month, day or moment that a value names."""
    if relative := _TODAY.fullmatch(value):
        days = int(relative[1]) * _DAYS[relative[2].lower()] if relative[1] else 0
        return _days(today + timedelta(days), today + timedelta(days + 1))
    if found := _DAY.fullmatch(value):
        year, month, day = (int(part) if part else None for part in found.groups())
        assert year is not None
        if day:
            first = date(year, month or 1, day)
            return _days(first, first + timedelta(1))
        if month:
            return _days(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))
        return _days(date(year, 1, 1), date(year + 1, 1, 1))
    moment = datetime.fromisoformat(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SEOUL)
    return Period(moment, moment + timedelta(seconds=1))


def _days(first: date, last: date) -> Period:
    return Period(datetime.combine(first, time(), SEOUL), datetime.combine(last, time(), SEOUL))
