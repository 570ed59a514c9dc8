"""Public holidays of Korea with their substitutes, by the library `holidays`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=64)
def public_holidays(year: int) -> Mapping[date, str]:
    """Return the public holidays of a year with their Korean names, substitutes included."""
    import holidays

    return dict(holidays.country_holidays("KR", years=year, language="ko"))


def is_public_holiday(day: date) -> bool:
    """Return whether a day is a public holiday."""
    return day in public_holidays(day.year)
