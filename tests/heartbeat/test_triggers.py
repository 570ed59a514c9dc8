"""The moments at which an agent wakes: every host computes the same ones."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guardia.heartbeat.triggers import MAX_CATCH_UP, HeartbeatTrigger
from guardia.org import cron
from guardia.org.heartbeats import Heartbeat

SEOUL = "Asia/Seoul"
NOON = datetime(2026, 11, 23, 3, tzinfo=UTC)  # a Monday, 12:00 in Seoul


def make_trigger(agent: str = "db-agent", **fields: Any) -> HeartbeatTrigger:
    return HeartbeatTrigger(agent, Heartbeat.model_validate({"timezone": SEOUL, **fields}))


def following(found: HeartbeatTrigger, begin: datetime, count: int) -> list[str]:
    named = []
    for _ in range(count):
        begin = found.after(begin)  # type: ignore[assignment]
        named.append(begin.astimezone(found.heartbeat.zone).strftime("%a %H:%M"))
    return named


def test_cron_counts_week_days_as_crontab_does() -> None:
    workdays = make_trigger(cron="0 9 * * 1-5")
    assert following(workdays, NOON + timedelta(days=3), 3) == [
        "Fri 09:00",
        "Mon 09:00",
        "Tue 09:00",
    ]
    assert following(make_trigger(cron="0 9 * * 0,7"), NOON, 2) == ["Sun 09:00", "Sun 09:00"]
    assert following(make_trigger(cron="0 9 * * */3"), NOON, 3) == [
        "Wed 09:00",
        "Sat 09:00",
        "Sun 09:00",
    ]
    assert following(make_trigger(cron="0 9 * * fri"), NOON, 1) == ["Fri 09:00"]


def test_moments_in_quiet_hours_are_due_once_at_their_end() -> None:
    night = make_trigger(every="1h", quiet={"from": "22:00", "until": "07:30"})
    late = NOON.replace(hour=12, minute=0)  # 21:00 in Seoul
    assert following(night, late, 3) == ["Tue 07:30", "Tue 08:00", "Tue 09:00"]
    weekend = make_trigger(
        cron="0 12 * * *", quiet={"from": "00:00", "until": "23:59", "days": ["sat"]}
    )
    assert following(weekend, NOON + timedelta(days=4), 2) == ["Sat 23:59", "Sun 12:00"]


def test_daylight_saving_time_skips_and_doubles_nothing() -> None:
    daily = make_trigger(cron="30 2 * * *", timezone="America/New_York")
    begin = datetime(2026, 3, 6, 12, tzinfo=UTC)
    found = [begin]
    while found[-1] < begin + timedelta(days=250):
        found.append(daily.after(found[-1]))  # type: ignore[arg-type]
    gaps = {b - a for a, b in pairwise(found[1:])}
    # 02:30 does not exist on one day; no gap may be longer than that.
    assert gaps <= {timedelta(hours=h) for h in (23, 24, 25, 47, 48)}


@settings(max_examples=60, deadline=None)
@given(
    agent=st.sampled_from(["a1", "db-agent", "was-agent", "z9"]),
    heartbeat=st.fixed_dictionaries(
        {"jitter": st.sampled_from([None, "5s", "90s", "2h"])},
        optional={
            "every": st.sampled_from(["30s", "7m", "1h", "1d"]),
            "cron": st.sampled_from(["*/5 * * * *", "0 9 * * mon-fri", "15 3 1 * *"]),
            "quiet": st.sampled_from(
                [{"from": "22:00", "until": "07:00"}, {"from": "12:00", "until": "13:00"}]
            ),
        },
    ),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    late=st.floats(0, 0.9),
)
def test_every_host_identifies_a_fired_moment_alike(
    agent: str, heartbeat: dict[str, Any], at: datetime, late: float
) -> None:
    """The result depends neither on the host nor on how late within the interval it looks."""
    one, other = make_trigger(agent, **heartbeat), make_trigger(agent, **heartbeat)
    now = at.replace(tzinfo=UTC)
    fires = one.get_next_fire_time(None, now)
    following = one.get_next_fire_time(fires, now)
    assert fires is not None and following is not None and now < fires < following
    named = one.last(fires)
    assert named is not None and named + one.delay == fires
    assert other.last(fires + (following - fires) * late) == named
    quiet = one.heartbeat.quiet_until
    assert quiet(named) is None
    assert one.between(named, following - one.delay) == [following - one.delay]


def test_missed_moments_are_bounded() -> None:
    found = make_trigger(every="1m").between(NOON - timedelta(days=30), NOON)
    assert len(found) == MAX_CATCH_UP and found[-1] == NOON and found == sorted(found)
    assert make_trigger(every="1d").between(NOON, NOON) == []
    rare = make_trigger(cron="0 0 1 1 *").between(NOON - timedelta(days=3650), NOON)
    assert len(rare) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": "10"},
        {"every": "0m"},
        {"cron": "* * * *"},
        {"cron": "61 * * * *"},
        {"cron": "0 9 1 * mon"},
        {"cron": "0 9 * * 5-1"},
        {"cron": "0 9 30 feb *"},
        {"cron": "*/0 * * * *"},
        {"timezone": "Asia/Nowhere"},
        {"quiet": {"from": "9:00", "until": "10:00"}},
        {"quiet": {"from": "09:00", "until": "09:00"}},
        {"jitter": "soon"},
        {"catch_up": "twice"},
        {"retries": 3},
    ],
)
def test_an_invalid_heartbeat_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Heartbeat.model_validate(wrong)


# --- what the chart accepts is what the scheduler runs -----------------------------------------

WHOLE_RANGES = ["0 */24 * * *", "*/60 * * * *", "0 0 */31 * *", "59/2 * * * *", "0 0 1 */12 *"]


@pytest.mark.parametrize("text", WHOLE_RANGES)
def test_a_step_beyond_the_range_means_its_first_value(text: str) -> None:
    begin = datetime(2026, 11, 23, 3, 59, 30, tzinfo=UTC)
    found = make_trigger(cron=text).after(begin)
    assert found is not None and matches(text, found)


def matches(text: str, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(SEOUL))
    numbers = (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)
    fields = [{n % 7 for n in f} if i == 4 else set(f) for i, f in enumerate(cron.parse(text))]
    return all(number in field for number, field in zip(numbers, fields, strict=True))


WORDS = st.sampled_from(
    [
        "*",
        "0",
        "1",
        "7",
        "12",
        "23",
        "24",
        "31",
        "59",
        "60",
        "MON",
        "sun",
        "Feb",
        "x",
        "",
        "٣",
        "5_0",
    ]
)
STEPS = st.sampled_from(
    ["", "/1", "/2", "/7", "/24", "/31", "/60", "/99", "/0", "/100", "/-1", "/x"]
)
PARTS = st.builds(
    lambda begin, end, step: begin + (f"-{end}" if end is not None else "") + step,
    WORDS,
    st.none() | WORDS,
    STEPS,
)
FIELDS = st.lists(PARTS, min_size=1, max_size=3).map(",".join)
USUAL = st.sampled_from(["*", "*/5", "0", "1-5", "mon-fri", "30"])


@pytest.mark.slow
@given(st.lists(FIELDS | USUAL, min_size=4, max_size=6))
@settings(max_examples=200)
def test_whatever_cron_the_chart_accepts_can_be_scheduled(fields: list[str]) -> None:
    text = " ".join(fields)
    try:
        found = make_trigger(cron=text)
    except ValidationError:
        return
    moment = found.after(NOON)
    assert moment is not None and moment > NOON and matches(text, moment)
    due = found.get_next_fire_time(None, NOON)
    assert due is not None and due > NOON


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERIODS = st.from_regex(r"\A[1-9][0-9]{0,4}[smhd]\Z")
CLOCKS = st.from_regex(r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z") | st.sampled_from(["0٣:00", "24:00"])
ZONES = st.sampled_from(
    [*sorted(available_timezones()), "Asia", "", "UTC\0", "../etc/passwd", "x" * 5000, "localtime"]
)
QUIET = st.fixed_dictionaries(
    {"from": CLOCKS, "until": CLOCKS},
    optional={"days": st.lists(st.sampled_from(["mon", "sat", "sun"]), max_size=3)},
)


@given(
    st.fixed_dictionaries(
        {"every": PERIODS},
        optional={
            "timezone": ZONES,
            "jitter": PERIODS,
            "quiet": QUIET,
            "timeout": PERIODS,
            "cron": st.sampled_from(WHOLE_RANGES),
        },
    )
)
@settings(max_examples=50)
def test_whatever_heartbeat_the_chart_accepts_can_be_scheduled(fields: dict[str, Any]) -> None:
    try:
        heartbeat = Heartbeat.model_validate(fields)
    except ValidationError:
        return
    found = HeartbeatTrigger("db-agent", heartbeat)
    due = found.get_next_fire_time(None, NOON)
    assert due is not None and due > NOON
    # Periods of centuries have no moment since 1970.
    assert (found.last(due) is not None) or due - found.delay < EPOCH + heartbeat.interval
    assert heartbeat.beat_timeout.total_seconds() < threading.TIMEOUT_MAX
    assert found.between(NOON - timedelta(days=1), NOON) is not None
