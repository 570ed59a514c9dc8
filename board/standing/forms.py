"""Parse the limits that people enter on the page or the command line."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from guardia.board.standing.policy import KST, Limits
from guardia.errors import Invalid
from guardia.i18n import t


def parse_limits(per_day: str, begins: str, ends: str, last_day: str) -> Limits:
    """Return the limits; `last_day` is the last Korean day. Raises `Invalid` for a wrong text."""
    if not (per_day.isascii() and per_day.isdecimal() and len(per_day) < 6):
        raise Invalid(what=t("standing.per_day"), why=t("standing.wrong_count"))
    until = datetime.combine(_day(last_day) + timedelta(days=1), time(), KST)
    return Limits(int(per_day), _clock(begins), _clock(ends), until)


def _clock(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError:
        raise Invalid(what=t("standing.hours"), why=t("standing.wrong_time")) from None


def _day(text: str) -> date:
    try:
        return min(date.fromisoformat(text), date(9000, 1, 1))
    except ValueError:
        raise Invalid(what=t("standing.ends_at"), why=t("standing.wrong_until")) from None
