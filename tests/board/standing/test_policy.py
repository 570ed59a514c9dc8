"""Rules of standing approvals: hours, days in Korea, limits, end, and what is never covered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from board_env import plan
from hypothesis import given
from hypothesis import strategies as st
from standing_env import routine_plan

from guardia.board.core.plan import Plan, Risk
from guardia.board.standing.lifecycle import OPEN, TRANSITIONS, StandingState
from guardia.board.standing.policy import (
    KST,
    Limits,
    Refusal,
    Routine,
    Terms,
    counted,
    day_of,
    refusal_of_use,
    required_steps,
    uncoverable,
)
from guardia.org.approvals import ApprovalPolicy

_MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
_CLOCKS = st.times().map(lambda t: t.replace(second=0, microsecond=0))
ROUTINE = Routine("log-level", 1, "s1", "MAINTENANCE", "MOF", "DB")
UNTIL = datetime(2026, 6, 1, tzinfo=KST)


def terms(limits: Limits) -> Terms:
    return Terms(1, ROUTINE, "로그 수준", ("service.set_log_level",), limits, "p", (3, 9))


@given(_MOMENTS, _CLOCKS, _CLOCKS)
def test_hours_and_their_complement_share_no_moment(
    moment: datetime, begins: time, ends: time
) -> None:
    inside = Limits(1, begins, ends, UNTIL).contains(moment)
    if begins == ends:
        assert inside
    else:
        assert inside != Limits(1, ends, begins, UNTIL).contains(moment)


@pytest.mark.parametrize(
    ("utc", "inside"),
    [("12:59", False), ("13:00", True), ("15:00", True), ("20:59", True), ("21:00", False)],
)
def test_hours_across_midnight_in_korea(utc: str, inside: bool) -> None:
    night = Limits(1, time(22), time(6), UNTIL)
    moment = datetime.fromisoformat(f"2026-03-01T{utc}:00+00:00")
    assert night.contains(moment) is inside


@given(_MOMENTS)
def test_every_moment_is_in_exactly_one_korean_day(moment: datetime) -> None:
    begin, end = day_of(moment)
    assert begin <= moment < end and end - begin == timedelta(days=1)
    assert begin.astimezone(UTC).hour == 15
    assert day_of(end)[0] == end and day_of(begin) == (begin, end)


@given(_MOMENTS, st.integers(1, 5), st.integers(0, 8))
def test_a_use_is_within_count_and_time(moment: datetime, most: int, used: int) -> None:
    limits = Limits(most, time(9), time(18), UNTIL)
    refused = refusal_of_use(terms(limits), routine_plan(), ROUTINE, moment, used)
    within = used < most and moment < UNTIL and limits.contains(moment)
    assert (refused is None) == within


@pytest.mark.parametrize(
    "other",
    [
        {"document": "x"},
        {"version": 2},
        {"sha256": "s2"},
        {"category": "DEPLOY_SECURE"},
        {"institution": "MOE"},
        {"kind": "WAS"},
    ],
)
def test_nothing_but_the_routine_is_covered(other: dict[str, str | int]) -> None:
    limits = Limits(1, time(0), time(0), UNTIL)
    routine = replace(ROUTINE, **other)  # type: ignore[arg-type]
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    found = refusal_of_use(terms(limits), routine_plan(), routine, moment, 0)
    assert found is Refusal.OTHER


def changed(**fields: object) -> Plan:
    return routine_plan().model_copy(update=fields)


@pytest.mark.parametrize(
    ("given_plan", "why"),
    [
        (routine_plan(), None),
        (plan(), Refusal.IRREVERSIBLE),
        (changed(category="DESTRUCTIVE"), Refusal.CATEGORY),
        (changed(category="FORCED"), Refusal.CATEGORY),
        (changed(category="READ_ONLY"), Refusal.CATEGORY),
        (changed(actions=()), Refusal.UNVERIFIED),
        (changed(verify=()), Refusal.UNVERIFIED),
        (routine_plan(0), Refusal.SOURCE),
        (routine_plan(1, "order"), Refusal.SOURCE),
        (routine_plan(1, "agent:x"), Refusal.SOURCE),
        (
            changed(
                actions=(routine_plan().actions[0].model_copy(update={"risk": Risk.DESTRUCTIVE}),)
            ),
            Refusal.CATEGORY,
        ),
    ],
)
def test_what_is_never_covered(given_plan: Plan, why: Refusal | None) -> None:
    assert uncoverable(given_plan, ApprovalPolicy.model_validate(["team_lead"])) is why


@pytest.mark.parametrize("policy", [{"steps": ["engineer"]}, {"signature": "passkey"}])
def test_a_category_with_a_passkey_or_an_engineer_is_never_covered(
    policy: dict[str, object],
) -> None:
    found = uncoverable(routine_plan(), ApprovalPolicy.model_validate(policy))
    assert found is Refusal.CHAIN


def test_the_policys_person_decides_after_the_steps_of_the_category() -> None:
    steps = required_steps(ApprovalPolicy.model_validate(["team_lead", "pm"]))
    assert [step.role for step in steps] == ["team_lead", "pm", "admin"]


@given(_CLOCKS, _CLOCKS, st.integers(1, 99), _MOMENTS)
def test_terms_survive_the_log_and_any_change_changes_their_hash(
    begins: time, ends: time, per_day: int, until: datetime
) -> None:
    before = terms(Limits(per_day, begins, ends, until))
    assert Terms.parse(before.as_dict()).hash == before.hash
    more = replace(before, limits=replace(before.limits, per_day=per_day + 1))
    assert more.hash != before.hash
    assert replace(before, evidence=(3,)).hash != before.hash


@given(st.lists(st.integers(1, 50)), st.lists(st.integers(1, 50)))
def test_only_successes_after_the_last_failure_count(good: list[int], bad: list[int]) -> None:
    left = counted(good, bad)
    assert all(seq > fault for seq in left for fault in bad)
    assert len(left) == sum(seq > max(bad, default=0) for seq in good)


def test_an_end_is_final() -> None:
    for state, following in TRANSITIONS.items():
        assert bool(following) == (state in OPEN)
        assert StandingState.PROPOSED not in following
