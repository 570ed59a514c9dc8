"""Read the targets in force and the days off that come next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.service_levels import days
from guardia.org import registry, revisions
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.public_holidays import public_holidays
from guardia.org.service_levels import ServiceLevels, Target

_AHEAD = timedelta(days=366)
_PERMISSION = "service.read"


@dataclass(frozen=True, slots=True)
class DayView:
    """A day off, or a worked day."""

    day: date
    name: str
    institution: str
    """Empty: all."""
    is_open: bool
    by_hand: bool


@dataclass(frozen=True, slots=True)
class TargetView:
    """A target in force."""

    category: str
    """Empty: every category without one of its own."""
    priority: str
    target: Target


@dataclass(frozen=True, slots=True)
class CalendarView:
    """Targets, work hours and days off."""

    levels: ServiceLevels
    targets: tuple[TargetView, ...]
    days: tuple[DayView, ...]
    institutions: tuple[str, ...]


def read_calendar(board: BoardContext, viewer: PersonInfo | None) -> CalendarView:
    """Return the targets and the days of the next year; `None`: for the operator."""
    if viewer is not None:
        require_permission(viewer, _PERMISSION)
    with board.database.reading() as session:
        levels, zone = revisions.service_levels(session)
        today = board.current_time().astimezone(zone).date()
        return CalendarView(
            levels,
            tuple(_targets(levels)),
            days_between(session, today, today + _AHEAD),
            tuple(registry.institution_ids(session)),
        )


def days_between(session: Session, first: date, last: date) -> tuple[DayView, ...]:
    """Return the public holidays and the days added by hand, in order."""
    found = [
        DayView(day, name, "", False, False)
        for year in range(first.year, last.year + 1)
        for day, name in public_holidays(year).items()
        if first <= day <= last
    ]
    found += [
        DayView(row.day, row.name, row.inst_id, row.is_open, True)
        for row in days.added_days(session)
        if first <= row.day <= last
    ]
    return tuple(sorted(found, key=lambda one: (one.day, one.by_hand, one.institution)))


def _targets(levels: ServiceLevels) -> list[TargetView]:
    general = [TargetView("", name, target) for name, target in sorted(levels.targets.items())]
    own = [
        TargetView(category, name, target)
        for category, targets in sorted(levels.categories.items())
        for name, target in sorted(targets.items())
    ]
    return general + own
