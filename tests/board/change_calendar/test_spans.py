"""Occurrences of freezes over a part of the calendar agree with the rule that binds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from guardia.board.change_calendar.spans import occurrences
from guardia.board.site_rules.periods import Period

SEOUL = ZoneInfo("Asia/Seoul")
PERIOD: TypeAdapter[Period] = TypeAdapter(Period)
PERIODS = [
    {"from": "2026-12-20T18:00:00", "until": "2027-01-04T09:00:00"},
    {"every": "year", "from": "12-28", "until": "01-03"},
    {"every": "week", "days": ["fri"], "from": "22:00", "until": "02:00"},
    {"every": "week", "days": ["mon", "wed"], "from": "09:15", "until": "09:40"},
    {"every": "month", "last": 2, "first": 1},
]


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("period", "found"),
    [
        (PERIODS[0], [("2026-12-20 18:00", "2027-01-04 09:00")]),
        (PERIODS[1], [("2026-12-28 00:00", "2027-01-04 00:00")]),
        (
            PERIODS[4],
            [("2026-11-29 00:00", "2026-12-02 00:00"), ("2026-12-30 00:00", "2027-01-02 00:00")],
        ),
    ],
)
def test_in_december(period: dict[str, object], found: list[tuple[str, str]]) -> None:
    one = PERIOD.validate_python(period)
    seen = list(occurrences([one], seoul("2026-12-01 00:00"), seoul("2027-01-01 00:00"), SEOUL))
    ends = [(end.astimezone(SEOUL)) for _, end in seen]
    assert ends == [seoul(end) for _, end in found]
    assert [begin for begin, _ in seen][-1] == seoul(found[-1][0])


@given(
    st.sampled_from(PERIODS),
    st.dates(date(2026, 1, 1), date(2027, 6, 1)),
    st.integers(1, 40),
    st.integers(0, 40 * 24 * 60),
)
@settings(max_examples=80, deadline=None)
def test_a_moment_is_shown_exactly_if_it_is_frozen(
    data: dict[str, object], day: date, length: int, minutes: int
) -> None:
    period = PERIOD.validate_python(data)
    begins = datetime.combine(day, datetime.min.time(), SEOUL)
    ends = begins + timedelta(days=length)
    moment = begins + timedelta(minutes=minutes % (length * 24 * 60))
    shown = any(b <= moment < e for b, e in occurrences([period], begins, ends, SEOUL))
    assert shown == (period.end_at(moment) is not None)
