"""Periods of a freeze: dates, or recurring by year, week or end of month. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from guardia.i18n import t
from guardia.org.approvals import DAYS, ClockTime, Day

_LONGEST_SEARCH = timedelta(days=800)
"""How far ahead the end of a freeze is looked for: a yearly one is within."""
_MOST_STEPS = 2000
_DAY = timedelta(days=1)

MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class _Period(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Dates(_Period):
    """One period between two times; without an offset they are in the company's time zone."""

    every: Literal["never"] = Field(default="never", exclude=True)
    begins: datetime = Field(alias="from")
    ends: datetime = Field(alias="until")

    @model_validator(mode="after")
    def _ordered(self) -> Dates:
        if self.begins.replace(tzinfo=None) >= self.ends.replace(tzinfo=None):
            raise ValueError(t("rules.wrong.order"))
        return self

    def end_at(self, moment: datetime) -> datetime | None:
        """Return the end of the period if `moment` (in the company's zone) is in it."""
        begins, ends = (_zoned(one, moment) for one in (self.begins, self.ends))
        return ends if begins <= moment < ends else None


class Yearly(_Period):
    """Days of each year, both included; may cross the end of the year."""

    every: Literal["year"]
    begins: MonthDay = Field(alias="from")
    ends: MonthDay = Field(alias="until")

    @model_validator(mode="after")
    def _real_days(self) -> Yearly:
        for day in (self.begins, self.ends):
            try:
                date.fromisoformat(f"2000-{day}")
            except ValueError:
                raise ValueError(t("rules.wrong.day", day=day)) from None
        return self

    def end_at(self, moment: datetime) -> datetime | None:
        """Return the end of the period if `moment` (in the company's zone) is in it."""
        for year in (moment.year - 1, moment.year):
            ends_in = year + (self.ends < self.begins)
            begins, ends = _in_year(self.begins, year), _in_year(self.ends, ends_in, after=True)
            if begins <= moment.date() < ends:
                return _midnight(ends, moment)
        return None


class Weekly(_Period):
    """Hours of days of the week; crosses midnight if it ends before it begins.

    With the same time twice it lasts 24 hours.
    """

    every: Literal["week"]
    days: tuple[Day, ...] = Field(min_length=1)
    """Days on which the period begins."""
    begins: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="until")

    def end_at(self, moment: datetime) -> datetime | None:
        """Return the end of the period if `moment` (in the company's zone) is in it."""
        for back in (0, 1):
            day = moment.date() - back * _DAY
            if DAYS[day.weekday()] not in self.days:
                continue
            last = day if self.begins < self.ends else day + _DAY
            begins, ends = _at(day, self.begins, moment), _at(last, self.ends, moment)
            if begins <= moment < ends:
                return ends
        return None


class MonthEnd(_Period):
    """The last days of each month and the first days of the next."""

    every: Literal["month"]
    last: int = Field(default=0, ge=0, le=28)
    first: int = Field(default=0, ge=0, le=28)

    @model_validator(mode="after")
    def _not_empty(self) -> MonthEnd:
        if not self.last and not self.first:
            raise ValueError(t("rules.wrong.month"))
        return self

    def end_at(self, moment: datetime) -> datetime | None:
        """Return the end of the period if `moment` (in the company's zone) is in it."""
        today = moment.date()
        this_month = today.replace(day=1)
        next_month = (this_month + 31 * _DAY).replace(day=1)
        for turn in (this_month, next_month):
            begins, ends = turn - self.last * _DAY, turn + self.first * _DAY
            if begins <= today < ends:
                return _midnight(ends, moment)
        return None


def _kind(value: Any) -> str:
    """Return the tag of a period: how it recurs."""
    every = value.get("every") if isinstance(value, dict) else getattr(value, "every", None)
    return str(every or "never")


Period = Annotated[
    Annotated[Yearly, Tag("year")]
    | Annotated[Weekly, Tag("week")]
    | Annotated[MonthEnd, Tag("month")]
    | Annotated[Dates, Tag("never")],
    Discriminator(_kind),
]


def next_opening(periods: Iterable[Period], moment: datetime, zone: tzinfo) -> datetime | None:
    """Return the first time from `moment` on that is in no period, or `None` if none is found."""
    known, found = tuple(periods), moment.astimezone(zone)
    limit = found + _LONGEST_SEARCH
    for _ in range(_MOST_STEPS):
        ends = [end for period in known if (end := period.end_at(found)) is not None]
        if not ends:
            return found if found.astimezone(moment.tzinfo) > moment else moment
        found = max(ends).astimezone(zone)
        if found > limit:
            return None
    return None


def _zoned(given: datetime, like: datetime) -> datetime:
    return given if given.tzinfo else given.replace(tzinfo=like.tzinfo)


def _midnight(day: date, like: datetime) -> datetime:
    return datetime.combine(day, time(0), like.tzinfo)


def _at(day: date, clock: time, like: datetime) -> datetime:
    return datetime.combine(day, clock, like.tzinfo)


def _in_year(month_day: str, year: int, *, after: bool = False) -> date:
    """Return the date in a year (29 February: 1 March if there is none), or the day after it."""
    leap = bool(re.fullmatch("02-29", month_day))
    try:
        found = date.fromisoformat(f"{year:04d}-{month_day}")
    except ValueError:
        assert leap
        return date(year, 3, 1)
    return found + _DAY if after else found
