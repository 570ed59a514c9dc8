"""Sentences about the time of a request, for requesters."""

from __future__ import annotations

from datetime import datetime, timedelta

from guardia.board.core.labels import SEOUL
from guardia.board.service_levels.view import Expected
from guardia.i18n import t

_STEPS = (
    ("minutes", timedelta(minutes=1), (5, 10, 15, 20, 30, 45, 60)),
    ("hours", timedelta(hours=1), (2, 3, 4, 5, 6, 8, 10, 12, 18, 24)),
    ("days", timedelta(days=1), (2, 3, 4, 5, 6, 7, 10, 14, 21, 30)),
)


def usual_text(usual: timedelta) -> str:
    """Return a duration as people say it: `2시간 안에`, rounded up to a plain number."""
    for unit, size, numbers in _STEPS:
        for number in numbers:
            if usual <= number * size:
                return t(f"service.usual.{unit}", count=number)
    return t("service.usual.long")


def day_text(moment: datetime) -> str:
    """Return a moment with its day of the week: `12월 1일(화) 14:00`."""
    local = moment.astimezone(SEOUL)
    return t(
        "service.moment",
        month=local.month,
        day=local.day,
        weekday=t(f"service.weekday.{local.weekday()}"),
        time=f"{local:%H:%M}",
    )


def expected_text(expected: Expected) -> str:
    """Return when a requester may expect the end; empty if nothing is known."""
    parts = []
    if expected.usual is not None:
        parts.append(t("service.expected.usual", usual=usual_text(expected.usual)))
    if expected.by is not None:
        parts.append(t("service.expected.by", by=day_text(expected.by)))
    return " ".join(parts)
