"""Who is on duty at a moment: weekly patterns, holidays and exceptions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from guardia.board.cmdb.records import DAYS, DutyExceptionRecord, DutyRecord
from guardia.org.public_holidays import is_public_holiday

IsHoliday = Callable[[date], bool]
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DutyShift:
    """One person's turn of duty."""

    duty: str
    person: str
    field: str
    institution: str
    begins: datetime
    ends: datetime
    team: str = ""
    reason: str = ""
    """Why this person takes over."""

    def covers(self, skill: str, institution: str) -> bool:
        """Return whether the turn is for a field at an institution."""
        return self.field in ("*", skill) and self.institution in ("", institution)


def shifts_at(
    duties: Iterable[DutyRecord],
    exceptions: Iterable[DutyExceptionRecord],
    teams: Mapping[str, Sequence[str]],
    at: datetime,
    is_holiday: IsHoliday | None = None,
) -> list[DutyShift]:
    """Return everyone who is on duty at a moment, by duty."""
    by_duty: dict[str, list[DutyExceptionRecord]] = {}
    for one in exceptions:
        by_duty.setdefault(one.duty, []).append(one)
    holiday = is_holiday or is_public_holiday
    found: list[DutyShift] = []
    for duty in sorted(duties, key=lambda d: d.id):
        for day in _days(duty, at, holiday):
            begins, ends = _turn(duty, day)
            if begins <= at < ends:
                found += _holders(duty, day, begins, ends, teams, by_duty.get(duty.id, ()))
    return found


def _days(duty: DutyRecord, at: datetime, is_holiday: IsHoliday) -> list[date]:
    """Return the days whose turns may reach a moment: that day, and the one before."""
    today = at.astimezone(ZoneInfo(duty.zone)).date()
    return [day for day in (today - _ONE_DAY, today) if _falls_on(duty, day, is_holiday)]


def _falls_on(duty: DutyRecord, day: date, is_holiday: IsHoliday) -> bool:
    text = day.isoformat()
    if (duty.since and text < duty.since) or (duty.until and text > duty.until):
        return False
    if duty.holidays == "only":
        return is_holiday(day)
    if duty.holidays == "off" and is_holiday(day):
        return False
    return DAYS[day.weekday()] in duty.days


def _turn(duty: DutyRecord, day: date) -> tuple[datetime, datetime]:
    begins, ends = _moment(duty, day, duty.begins), _moment(duty, day, duty.ends)
    return begins, ends if ends > begins else _moment(duty, day + _ONE_DAY, duty.ends)


def _moment(duty: DutyRecord, day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    if hour == 24:
        day, hour = day + _ONE_DAY, 0
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(duty.zone))


def _holders(
    duty: DutyRecord,
    day: date,
    begins: datetime,
    ends: datetime,
    teams: Mapping[str, Sequence[str]],
    exceptions: Iterable[DutyExceptionRecord],
) -> list[DutyShift]:
    people: Sequence[str] = [duty.person] if duty.person else teams.get(duty.team, ())
    team, reason = duty.team, ""
    text = day.isoformat()
    for one in exceptions:
        if one.first_day <= text <= (one.last_day or one.first_day):
            people, team, reason = ([one.person] if one.person else []), "", one.reason
    return [
        DutyShift(duty.id, person, duty.field, duty.institution, begins, ends, team, reason)
        for person in people
    ]
