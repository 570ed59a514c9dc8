"""Counted time: Korean holidays with substitutes, work hours, days added by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.board.service_levels.calendar import BusinessCalendar, EveryHour
from guardia.org.public_holidays import public_holidays
from guardia.org.service_levels import WorkHours

SEOUL = ZoneInfo("Asia/Seoul")
PLAIN = BusinessCalendar(WorkHours(), SEOUL)
HOURS = st.sampled_from(
    [
        WorkHours(),
        WorkHours(lunch=None),
        WorkHours(begins="08:30", ends="20:00"),
        WorkHours(days=("sun",), begins="00:00", ends="23:59", lunch=None),
    ]
)
DAYS = st.frozensets(st.dates(date(2026, 1, 1), date(2028, 1, 1)), max_size=8)
CALENDARS = st.builds(BusinessCalendar, HOURS, st.just(SEOUL), DAYS, DAYS)
MOMENTS = st.datetimes(
    datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.sampled_from([UTC, SEOUL])
)
AMOUNTS = st.timedeltas(timedelta(0), timedelta(hours=100))


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("year", "days"),
    [
        (
            2026,
            "1/1 2/16 2/17 2/18 3/1 3/2 5/1 5/5 5/24 5/25 6/3 6/6 7/17 8/15 8/17 9/24 9/25 9/26 "
            "10/3 10/5 10/9 12/25",
        ),
        (
            2027,
            "1/1 2/6 2/7 2/8 2/9 3/1 5/1 5/3 5/5 5/13 6/6 7/17 7/19 8/15 8/16 9/14 9/15 9/16 10/3 "
            "10/4 10/9 10/11 12/25 12/27",
        ),
        (
            2028,
            "1/1 1/26 1/27 1/28 3/1 4/12 5/1 5/2 5/5 6/6 7/17 8/15 10/2 10/3 10/4 10/5 10/9 12/25",
        ),
    ],
)
def test_public_holidays_with_substitutes(year: int, days: str) -> None:
    wanted = {date(year, *map(int, day.split("/"))) for day in days.split()}
    assert set(public_holidays(year)) == wanted


@pytest.mark.parametrize(
    ("begins", "hours", "due"),
    [
        ("2026-11-30 09:00", 4, "2026-11-30 14:00"),  # over lunch
        ("2026-11-30 12:30", 1, "2026-11-30 14:00"),  # filed at lunch
        ("2026-11-30 17:30", 1, "2026-12-01 09:30"),  # over the end of the month
        ("2026-12-04 17:00", 2, "2026-12-07 10:00"),  # over a weekend
        ("2026-12-05 10:00", 1, "2026-12-07 10:00"),  # filed on a Saturday
        ("2026-12-24 17:00", 2, "2026-12-28 10:00"),  # Christmas is a Friday
        ("2026-09-23 18:00", 1, "2026-09-28 10:00"),  # Chuseok
        ("2026-10-02 17:00", 2, "2026-10-06 10:00"),  # a substitute holiday on Monday
        ("2026-12-31 17:00", 2, "2027-01-04 10:00"),  # over the end of the year
        ("2026-11-30 09:00", 8, "2026-11-30 18:00"),  # exactly a day
        ("2028-02-28 17:00", 9, "2028-02-29 18:00"),  # 29 February
    ],
)
def test_when_work_time_is_over(begins: str, hours: int, due: str) -> None:
    assert PLAIN.after(seoul(begins), timedelta(hours=hours)) == seoul(due)


def test_days_added_by_hand_come_first() -> None:
    election, saturday = date(2026, 12, 16), date(2026, 12, 19)
    own = BusinessCalendar(WorkHours(), SEOUL, frozenset({election}), frozenset({saturday}))
    assert not own.is_workday(election) and own.is_workday(saturday)
    assert own.after(seoul("2026-12-15 17:00"), timedelta(hours=2)) == seoul("2026-12-17 10:00")
    assert own.between(seoul("2026-12-19 00:00"), seoul("2026-12-20 00:00")) == timedelta(hours=8)


def test_a_calendar_without_work_still_ends() -> None:
    closed = BusinessCalendar(WorkHours(), SEOUL, is_holiday=lambda _: True)
    begins = seoul("2026-11-30 09:00")
    assert closed.between(begins, begins + timedelta(days=400)) == timedelta(0)
    assert closed.after(begins, timedelta(hours=1)) > begins + timedelta(days=3650)


def test_every_hour_counts_nights_and_holidays() -> None:
    begins = seoul("2026-12-25 23:00")
    assert EveryHour().after(begins, timedelta(hours=2)) == seoul("2026-12-26 01:00")
    assert EveryHour().between(begins, begins - timedelta(hours=1)) == timedelta(0)


@given(CALENDARS, MOMENTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_after_and_between_are_inverse(
    calendar: BusinessCalendar, begins: datetime, amount: timedelta
) -> None:
    due = calendar.after(begins, amount)
    assert due >= begins
    assert calendar.between(begins, due) == amount
    if amount:
        earlier = due - timedelta(microseconds=1)
        assert calendar.between(begins, earlier) < amount, "it is the first such moment"


@given(CALENDARS, st.tuples(MOMENTS, MOMENTS, MOMENTS))
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_time_adds_up_and_never_runs_backwards(
    calendar: BusinessCalendar, moments: tuple[datetime, ...]
) -> None:
    first, middle, last = sorted(moments)
    whole = calendar.between(first, last)
    assert whole == calendar.between(first, middle) + calendar.between(middle, last)
    assert timedelta(0) <= whole <= last - first
    assert calendar.between(last, first) == timedelta(0)


@given(CALENDARS, MOMENTS, AMOUNTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_more_time_is_never_due_earlier(
    calendar: BusinessCalendar, begins: datetime, one: timedelta, more: timedelta
) -> None:
    assert calendar.after(begins, one) <= calendar.after(begins, one + more)


@given(MOMENTS, AMOUNTS)
@settings(max_examples=40, deadline=None)
def test_korea_has_no_daylight_saving_time(begins: datetime, amount: timedelta) -> None:
    fixed = BusinessCalendar(WorkHours(), timezone(timedelta(hours=9)))
    assert PLAIN.after(begins, amount) == fixed.after(begins, amount)


@given(CALENDARS, st.dates(date(2026, 1, 1), date(2027, 12, 30)))
@settings(max_examples=60, deadline=None)
def test_a_day_has_its_work_hours_or_none(calendar: BusinessCalendar, day: date) -> None:
    midnight = datetime.combine(day, datetime.min.time(), SEOUL)
    counted = calendar.between(midnight, midnight + timedelta(days=1))
    assert (counted > timedelta(0)) == calendar.is_workday(day)
    if day in public_holidays(day.year) and day not in calendar.opened:
        assert counted == timedelta(0)
