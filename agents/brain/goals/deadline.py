"""Deadlines in a Korean text: "연말까지", "다음 주 금요일까지"."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

_DAYS = "월화수목금토일"
_FRIDAY = 4
# Marks a date as a deadline; without it a date is a point in time or part of a name.
_UNTIL = r"\s*(?:까지|안에|안으로|이내|내로|내에|중으로|전에|전까지)"
# Blanks before an optional word belong to it, so that no blank is read twice.
_WEEK = r"(?P<{0}>이번|금|다음|차|내)\s*주"


class Deadline(NamedTuple):
    """A deadline named at `text[start:end]`."""

    on: date
    start: int
    end: int


def deadlines(text: str, today: date) -> list[Deadline]:
    """Return the deadlines of `text` in order, relative to `today`, without impossible dates."""
    found: list[Deadline] = []
    for pattern, resolve in _FORMS:
        for match in pattern.finditer(text):
            on = _resolve(resolve, match, today)
            if on is not None and not any(
                d.start < match.end() and match.start() < d.end for d in found
            ):
                found.append(Deadline(on, *match.span()))
    return sorted(found, key=lambda d: d.start)


def _resolve(
    resolve: Callable[[re.Match[str], date], date], match: re.Match[str], today: date
) -> date | None:
    try:
        return resolve(match, today)
    except (ValueError, OverflowError):  # e.g. the 31st of a month with 30 days
        return None


def _full(match: re.Match[str], _today: date) -> date:
    return date(int(match["y"]), int(match["m"]), int(match["d"]))


def _month_day(match: re.Match[str], today: date) -> date:
    """Return the next such day: a date that has passed this year is next year's."""
    found = date(today.year, int(match["m"]), int(match["d"]))
    return found if found >= today else found.replace(year=today.year + 1)


def _month_end(match: re.Match[str], today: date) -> date:
    month = int(match["m"])
    year = today.year if month >= today.month else today.year + 1
    return _last_day(year, month)


def _this_month_end(match: re.Match[str], today: date) -> date:
    if match[0].startswith(("다음", "내")):
        first = today.replace(day=1) + timedelta(days=32)
        return _last_day(first.year, first.month)
    return _last_day(today.year, today.month)


def _year_end(match: re.Match[str], today: date) -> date:
    return date(today.year + match[0].startswith("내"), 12, 31)


def _within(match: re.Match[str], today: date) -> date:
    days = {"일": 1, "주": 7, "주일": 7}.get(match["unit"])
    if days is not None:
        return today + timedelta(days=int(match["n"]) * days)
    month = today.month - 1 + int(match["n"])
    year, month = today.year + month // 12, month % 12 + 1
    return date(year, month, min(today.day, calendar.monthrange(year, month)[1]))


def _near(match: re.Match[str], today: date) -> date:
    return today + timedelta(days={"오늘": 0, "금일": 0, "내일": 1, "명일": 1, "모레": 2}[match[1]])


def _weekday(match: re.Match[str], today: date) -> date:
    """Return the day of a week starting on Monday, or the next such day if no week is named."""
    monday = today - timedelta(days=today.weekday())
    day = _DAYS.index(match["day"])
    if match["week"]:
        return monday + timedelta(days=day + 7 * (match["week"] in ("다음", "차", "내")))
    return today + timedelta(days=(day - today.weekday()) % 7)


def _week(match: re.Match[str], today: date) -> date:
    """Return the week's Friday, when its work ends."""
    monday = today - timedelta(days=today.weekday())
    return monday + timedelta(days=_FRIDAY + 7 * (match["only"] in ("다음", "차", "내")))


def _last_day(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], date]], ...] = tuple(
    (re.compile(pattern + _UNTIL), resolve)
    for pattern, resolve in (
        (
            r"(?P<y>20\d\d)\s*[-./년]\s*(?P<m>\d{1,2})\s*[-./월]\s*(?P<d>\d{1,2})(?:\s*[.일])?",
            _full,
        ),
        (r"(?<!\d)(?P<m>\d{1,2})\s*월\s*(?P<d>\d{1,2})\s*일", _month_day),
        (r"(?<![\d.])(?P<m>\d{1,2})/(?P<d>\d{1,2})", _month_day),
        (r"(?<!\d)(?P<m>\d{1,2})\s*월(?:\s*(?:말|중))?", _month_end),
        (r"(?:이번\s*달|이달|당월|다음\s*달|내달)(?:\s*말)?", _this_month_end),
        (r"(?<![가-힣\d])월\s*말", _this_month_end),
        (r"(?:올해|금년|내년)(?:\s*(?:말|내))?", _year_end),
        (r"(?<![가-힣])연(?:\s*말)?", _year_end),
        (r"(?<!\d)(?<!월)(?<!월 )(?P<n>\d{1,3})\s*(?P<unit>주일|일|주|개월|달)", _within),
        (r"(오늘|금일|내일|명일|모레)(?:\s*중)?", _near),
        (
            rf"(?:{_WEEK.format('week')}\s*)?(?<![가-힣])(?P<day>[{_DAYS}])요일",
            _weekday,
        ),
        (_WEEK.format("only") + r"(?:\s*중|\s*말)?", _week),
    )
)
