"""When a clock runs, and what it has counted, over random histories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.board.core.lifecycle import State
from guardia.board.service_levels import policy
from guardia.board.service_levels.calendar import BusinessCalendar, Calendar, EveryHour
from guardia.board.service_levels.policy import Clock, ClockKind, ClockPhase, ClockState, Moment
from guardia.org.service_levels import WorkHours

START = datetime(2026, 11, 30, 0, tzinfo=UTC)  # 09:00 in Seoul, a Monday
BUSINESS = BusinessCalendar(WorkHours(), ZoneInfo("Asia/Seoul"))
HISTORIES = st.lists(
    st.tuples(
        st.timedeltas(timedelta(0), timedelta(days=2)),
        st.sampled_from(State),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def moment(hours: float, status: State, *, assigned: bool = True, waiting: bool = False) -> Moment:
    return Moment(START + timedelta(hours=hours), status, assigned, waiting)


def clock(kind: ClockKind, *moments: Moment) -> Clock:
    found = Clock(kind)
    for one in moments:
        found = policy.advance(found, one)
    return found


def resolution(*moments: Moment) -> Clock:
    return clock(ClockKind.RESOLUTION, *moments)


def hours(found: Clock, calendar: Calendar, until: float) -> float:
    return policy.used(found, calendar, START + timedelta(hours=until)) / timedelta(hours=1)


def test_it_pauses_while_people_wait_for_the_requester() -> None:
    found = resolution(
        moment(0, State.RECEIVED),
        moment(1, State.RECEIVED, waiting=True),
        moment(5, State.RECEIVED),
    )
    assert hours(found, EveryHour(), 6) == 2
    due = policy.reached_at(found, EveryHour(), timedelta(hours=4))
    assert due == START + timedelta(hours=8)
    paused = resolution(moment(0, State.RECEIVED), moment(1, State.RECEIVED, waiting=True))
    assert policy.reached_at(paused, EveryHour(), timedelta(hours=4)) is None
    assert policy.state_of(paused, EveryHour(), timedelta(hours=4)) is ClockState.PAUSED


def test_it_stops_at_the_end_and_goes_on_after_a_reopening() -> None:
    done = (moment(0, State.RECEIVED), moment(3, State.COMPLETED))
    target = timedelta(hours=4)
    assert policy.state_of(resolution(*done), EveryHour(), target) is ClockState.KEPT
    again = resolution(*done, moment(50, State.PARSED))
    assert hours(again, EveryHour(), 50.5) == 3.5
    late = resolution(*done, moment(50, State.PARSED), moment(52, State.COMPLETED))
    assert policy.state_of(late, EveryHour(), target) is ClockState.BROKEN
    assert policy.reached_at(late, EveryHour(), target) == START + timedelta(hours=51)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        (State.COMPLETED, ClockPhase.STOP),
        (State.REJECTED, ClockPhase.CANCEL),
        (State.ABORTED, ClockPhase.CANCEL),
        (State.FAILED_ROLLBACK, ClockPhase.RUN),
        (State.MANUAL, ClockPhase.RUN),
    ],
)
def test_what_ends_a_resolution(status: State, phase: ClockPhase) -> None:
    assert policy.phase_of(ClockKind.RESOLUTION, moment(1, status)) is phase


def test_a_request_is_kept_up_to_exactly_its_target() -> None:
    found = resolution(moment(0, State.RECEIVED), moment(4, State.COMPLETED))
    assert policy.state_of(found, EveryHour(), timedelta(hours=4)) is ClockState.KEPT
    less = timedelta(hours=4) - timedelta(microseconds=1)
    assert policy.state_of(found, EveryHour(), less) is ClockState.BROKEN


def test_rejecting_late_hides_nothing() -> None:
    late = resolution(moment(0, State.RECEIVED), moment(9, State.REJECTED))
    assert policy.state_of(late, EveryHour(), timedelta(hours=4)) is ClockState.BROKEN
    early = resolution(moment(0, State.RECEIVED), moment(1, State.REJECTED))
    assert policy.state_of(early, EveryHour(), timedelta(hours=4)) is ClockState.CANCELLED


def test_a_response_is_an_owner_an_agent_or_a_question() -> None:
    new = moment(0, State.RECEIVED, assigned=False)
    for answer in (
        moment(1, State.PARSED, assigned=False),
        moment(1, State.MANUAL, assigned=True),
        moment(1, State.RECEIVED, assigned=False, waiting=True),
    ):
        found = clock(ClockKind.RESPONSE, new, answer)
        assert found.phase is ClockPhase.STOP and hours(found, EveryHour(), 9) == 1
        again = policy.advance(found, moment(5, State.MANUAL, assigned=False))
        assert again == found, "a response stays given"
    unowned = clock(ClockKind.RESPONSE, new, moment(1, State.MANUAL, assigned=False))
    assert unowned.phase is ClockPhase.RUN


@given(HISTORIES, st.sampled_from(ClockKind), st.sampled_from([BUSINESS, EveryHour()]))
@settings(max_examples=80, deadline=None)
def test_random_histories(
    history: list[tuple[timedelta, State, bool, bool]], kind: ClockKind, calendar: Calendar
) -> None:
    found, at = Clock(kind), START
    counted = timedelta(0)
    for wait, status, assigned, waiting in history:
        ran = found.phase is ClockPhase.RUN
        expected = counted + (calendar.between(at, at + wait) if ran else timedelta(0))
        at += wait
        assert policy.used(found, calendar, at) == expected
        found = policy.advance(found, Moment(at, status, assigned, waiting))
        counted = policy.used(found, calendar, at)
        assert counted == expected, "a change of state counts nothing by itself"
        assert policy.advance(found, Moment(at, status, assigned, waiting)) == found
    assert all(one.ends is not None for one in found.spans[:-1])
    assert [s.begins for s in found.spans] == sorted(s.begins for s in found.spans)
    due = policy.reached_at(found, calendar, counted + timedelta(minutes=5))
    assert (due is not None) == (found.phase is ClockPhase.RUN)
    assert due is None or policy.used(found, calendar, due) == counted + timedelta(minutes=5)
