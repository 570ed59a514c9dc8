"""Turns of duty: nights, holidays, exceptions, zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.cmdb.duty_calendar import shifts_at
from guardia.board.cmdb.records import DAYS, DutyExceptionRecord, DutyRecord
from guardia.org.public_holidays import is_public_holiday


def duty(**more: Any) -> DutyRecord:
    values = {"id": "D", "field": "DB", "person": "eng", "begins": "18:00", "ends": "09:00"}
    return DutyRecord.model_validate(values | more)


def on_duty(one: DutyRecord, at: str, *exceptions: Any, **more: Any) -> list[str]:
    """Return who is on duty at a moment in Seoul."""
    moment = datetime.fromisoformat(f"{at}+09:00")
    teams = {"T": ["a", "b"]}
    return [s.person for s in shifts_at([one], exceptions, teams, moment, **more)]


@pytest.mark.parametrize(
    ("at", "there"),
    [
        ("2026-11-30T17:59", False),
        ("2026-11-30T18:00", True),
        ("2026-12-01T08:59", True),
        ("2026-12-01T09:00", False),
    ],
)
def test_a_night_ends_on_the_next_day(at: str, there: bool) -> None:
    assert (on_duty(duty(), at) == ["eng"]) is there


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = duty(days=["fri"])
    assert on_duty(friday, "2026-12-05T03:00") == ["eng"], "the night from Friday to Saturday"
    assert on_duty(friday, "2026-12-04T03:00") == []


@pytest.mark.slow
def test_holidays_are_those_of_korea() -> None:
    assert is_public_holiday(date(2026, 10, 3)) and is_public_holiday(date(2026, 9, 25))
    assert not is_public_holiday(date(2026, 11, 30))
    chuseok = "2026-09-25T12:00"
    day = {"begins": "09:00", "ends": "18:00"}
    assert on_duty(duty(**day), chuseok) == ["eng"]
    assert on_duty(duty(**day, holidays="off"), chuseok) == []
    assert on_duty(duty(**day, holidays="only"), chuseok) == ["eng"]
    assert on_duty(duty(**day, holidays="only"), "2026-11-30T12:00") == []


def test_an_exception_replaces_a_turn_or_cancels_it() -> None:
    other = DutyExceptionRecord(
        duty="D", first_day="2026-11-30", last_day="2026-12-01", person="x", reason="교육"
    )
    assert on_duty(duty(), "2026-12-01T03:00", other) == ["x"]
    assert on_duty(duty(), "2026-12-02T20:00", other) == ["eng"]
    none = DutyExceptionRecord(duty="D", first_day="2026-11-30")
    assert on_duty(duty(), "2026-11-30T20:00", none) == []


def test_a_team_is_on_duty_together_and_a_zone_counts() -> None:
    team = duty(person="", team="T")
    assert on_duty(team, "2026-11-30T20:00") == ["a", "b"]
    assert on_duty(duty(zone="UTC"), "2026-11-30T20:00") == [], "11:00 there"
    assert on_duty(duty(since="2026-12-01"), "2026-11-30T20:00") == []
    assert on_duty(duty(until="2026-11-29"), "2026-11-30T20:00") == []


@pytest.mark.slow
@given(
    st.integers(0, 23),
    st.integers(0, 24),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 60 * 24 * 14),
)
def test_a_moment_is_in_at_most_one_turn_of_a_duty(
    begins: int, ends: int, days: set[str], minutes: int
) -> None:
    one = duty(begins=f"{begins:02}:00", ends=f"{ends:02}:00", days=sorted(days))
    at = datetime(2026, 11, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    found = shifts_at([one], (), {}, at, lambda day: False)
    assert len(found) <= 1
    for shift in found:
        assert shift.begins <= at < shift.ends
        assert timedelta(0) < shift.ends - shift.begins <= timedelta(days=1)
