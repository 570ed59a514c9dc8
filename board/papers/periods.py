"""Months of reports. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from guardia.errors import Invalid
from guardia.i18n import t

_LONGER_THAN_A_MONTH = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class ReportMonth:
    """A month with its bounds."""

    name: str
    begins: datetime
    ends: datetime
    next_ends: datetime
    """End of the month after it."""


def read_month(given: str, now: datetime, zone: tzinfo) -> ReportMonth:
    """Return the month of a name such as `2026-11`, by default the present one.

    Raises `Invalid` for another form.
    """
    name = given.strip() or f"{now.astimezone(zone):%Y-%m}"
    try:
        first = date.fromisoformat(f"{name}-01")
    except ValueError:
        raise Invalid(what=name[:40], why=t("service.report.form"), field="month") from None
    if not 2000 <= first.year < 2200:
        raise Invalid(what=name, why=t("service.report.form"), field="month")
    following = _next(first)
    begins, ends, later = (
        datetime(day.year, day.month, 1, tzinfo=zone)
        for day in (first, following, _next(following))
    )
    return ReportMonth(f"{first:%Y-%m}", begins, ends, later)


def _next(first: date) -> date:
    return (first + _LONGER_THAN_A_MONTH).replace(day=1)
