"""Property tests: no sequence of decisions bypasses the approval policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.approvals.policy import (
    ApprovalChain,
    ApproverRole,
    ChangeCalendar,
    DecisionVerdict,
    Denial,
    StepDecision,
    calendar_for,
    check_decision,
    evaluate_chain,
    find_permitted_decision,
    next_opening,
)
from guardia.errors import Invalid
from guardia.org import chart
from guardia.org.approvals import ApprovalPolicy, ApprovalStep, Freeze, Window

SEOUL = ZoneInfo("Asia/Seoul")
ROLES = ("team_lead", "pm", "security_officer", "admin")
PEOPLE = tuple("abcdef")
CHART = chart.parse(chart.shipped_chart_path().read_text("utf-8"))

steps = st.lists(
    st.builds(ApprovalStep, role=st.sampled_from(ROLES), quorum=st.integers(1, 3)),
    min_size=1,
    max_size=4,
)
chains = st.builds(
    ApprovalChain,
    steps.map(tuple),
    st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    st.dictionaries(st.integers(1, 4), st.sampled_from(ROLES), max_size=2),
)
decisions = st.builds(
    StepDecision,
    st.integers(0, 5),
    st.sampled_from(PEOPLE),
    st.builds(ApproverRole, st.sampled_from(ROLES), st.none() | st.sampled_from(PEOPLE)),
    st.sampled_from(
        (DecisionVerdict.APPROVE,) * 8 + (DecisionVerdict.REJECT, DecisionVerdict.CHANGE)
    ),
)


@st.composite
def eager(draw: st.DrawFn) -> tuple[ApprovalChain, list[StepDecision]]:
    """Draw a chain with mostly valid decisions, so that chains are often completed."""
    chain = draw(chains)
    made: list[StepDecision] = []
    for number, step in enumerate(chain.steps, start=1):
        for _ in range(step.quorum + draw(st.integers(0, 1))):
            who = draw(st.sampled_from(PEOPLE))
            made.append(StepDecision(number, who, ApproverRole(step.role)))
    noise = draw(st.lists(st.tuples(st.integers(0, len(made)), decisions), max_size=4))
    for place, decision in noise:
        made.insert(place, decision)
    return chain, made


@given(eager())
@pytest.mark.slow
def test_fewer_distinct_persons_than_demanded_never_approve(
    case: tuple[ApprovalChain, list[StepDecision]],
) -> None:
    chain, made = case
    demanded = sum(s.quorum for s in chain.steps)
    now = evaluate_chain(chain, made)
    if len({d.person for d in made} - chain.excluded) < demanded:
        assert not now.complete
    if now.complete:
        people = [d.person for d in now.given]
        assert len(set(people)) == len(people) == demanded
        assert not set(people) & chain.excluded


@pytest.mark.slow
@given(eager())
def test_order_roles_and_authority_are_never_violated(
    case: tuple[ApprovalChain, list[StepDecision]],
) -> None:
    chain, made = case
    now = evaluate_chain(chain, made)
    assert [d.step for d in now.given] == sorted(d.step for d in now.given)
    used: set[str] = set()
    for decision in now.given:
        assert decision.approver_role.role in chain.roles(decision.step)
        assert not decision.parties & (used | chain.excluded)
        used |= decision.parties
    for number, step in enumerate(chain.steps, start=1):
        filled = [d for d in now.given if d.step == number]
        later = [d for d in now.given if d.step > number]
        assert len(filled) <= step.quorum
        assert not later or len(filled) == step.quorum


@given(eager())
@pytest.mark.slow
def test_a_refusal_that_counts_is_the_last_word(
    case: tuple[ApprovalChain, list[StepDecision]],
) -> None:
    chain, made = case
    now = evaluate_chain(chain, made)
    refusals = [d for d in now.given if d.verdict is not DecisionVerdict.APPROVE]
    assert now.refused is bool(refusals)
    if refusals:
        assert now.given[-1] is refusals[0] and not now.complete


def test_a_chain_is_completed_at_all() -> None:
    chain = ApprovalChain((ApprovalStep(role="pm", quorum=2), ApprovalStep(role="admin")))
    made = [StepDecision(n, who, ApproverRole(r)) for n, who, r in
            ((1, "a", "pm"), (1, "b", "pm"), (2, "c", "admin"))]  # fmt: skip
    assert evaluate_chain(chain, made).complete
    assert not evaluate_chain(chain, made[:2]).complete


@pytest.mark.slow
@given(st.text())
def test_an_unknown_category_fails_closed(name: str) -> None:
    if name not in CHART.approvals:
        with pytest.raises(Invalid):
            chart.approval_policy(CHART, name)


def test_a_delegate_and_their_principal_count_once() -> None:
    chain = ApprovalChain((ApprovalStep(role="pm", quorum=2),))
    first = evaluate_chain(chain, [StepDecision(1, "a", ApproverRole("pm", "b"))])
    assert check_decision(chain, first, StepDecision(1, "b", ApproverRole("pm"))) is Denial.TWICE
    assert check_decision(chain, first, StepDecision(1, "a", ApproverRole("pm"))) is Denial.TWICE
    assert check_decision(chain, first, StepDecision(1, "c", ApproverRole("pm"))) is None


def test_nobody_decides_in_the_name_of_the_requester() -> None:
    chain = ApprovalChain((ApprovalStep(role="pm"),), excluded=frozenset({"boss"}))
    lent, own = ApproverRole("pm", "boss"), ApproverRole("pm")
    assert find_permitted_decision(chain, evaluate_chain(chain, ()), "a", [lent]) == (
        None,
        Denial.OWN,
    )
    assert find_permitted_decision(chain, evaluate_chain(chain, ()), "a", [lent, own])[
        0
    ] == StepDecision(1, "a", own)


def test_an_escalated_step_takes_the_further_role_too() -> None:
    plain = ApprovalChain((ApprovalStep(role="pm"),))
    escalated = ApprovalChain(plain.steps, escalated={1: "admin"})
    word = StepDecision(1, "a", ApproverRole("admin"))
    assert not evaluate_chain(plain, [word]).complete
    assert evaluate_chain(escalated, [word]).complete


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL).astimezone(UTC)


NIGHT = Window.model_validate({"days": ["sat"], "from": "22:00", "until": "06:00"})


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T12:00", "2026-11-21T22:00"),  # a Friday
        ("2026-11-21T22:00", "2026-11-21T22:00"),
        ("2026-11-22T05:59", "2026-11-22T05:59"),  # past midnight it is still Saturday's window
        ("2026-11-22T06:00", "2026-11-28T22:00"),
    ],
)
def test_work_waits_for_its_window(now: str, expected: str) -> None:
    assert next_opening(ChangeCalendar((NIGHT,), (), SEOUL), at(now)) == at(expected)


def test_a_freeze_outweighs_a_window_and_ends() -> None:
    freeze = Freeze.model_validate({"from": "2026-11-21T00:00", "until": "2026-11-22T01:00"})
    assert next_opening(ChangeCalendar((NIGHT,), (freeze,), SEOUL), at("2026-11-20T12:00")) == at(
        "2026-11-22T01:00"
    )


def test_without_windows_it_runs_at_once_and_an_endless_freeze_never_ends() -> None:
    now = at("2026-11-20T12:00")
    assert next_opening(ChangeCalendar((), (), SEOUL), now) == now
    endless = Freeze.model_validate({"from": "2026-01-01T00:00", "until": "2099-01-01T00:00"})
    assert next_opening(ChangeCalendar((), (endless,), SEOUL), now) is None


@given(
    st.lists(st.builds(
        lambda day, begin, end: Window.model_validate(
            {"days": [day], "from": f"{begin:02}:00", "until": f"{end:02}:30"}),
        st.sampled_from(("mon", "wed", "sun")), st.integers(0, 23), st.integers(0, 23)),
        min_size=1, max_size=3),
    st.integers(0, 14 * 24 * 60),
)  # fmt: skip
def test_the_moment_it_opens_is_open_and_nothing_before_it_is(
    windows: list[Window], minutes: int
) -> None:
    when = ChangeCalendar(tuple(windows), (), SEOUL)
    now = at("2026-11-02T00:00") + timedelta(minutes=minutes)
    moment = next_opening(when, now)
    assert moment is not None and moment >= now
    assert next_opening(when, moment) == moment
    earlier = now + (moment - now) / 2
    if earlier < moment:
        assert next_opening(when, earlier) == moment


def test_windows_and_freezes_concern_whom_they_name() -> None:
    policy = ApprovalPolicy.model_validate(
        {"steps": ["pm"], "windows": [{"from": "01:00", "until": "02:00", "institutions": ["MOF"]}]}
    )
    freezes = [
        Freeze.model_validate({"from": "2026-01-01T00:00", "until": "2026-02-01T00:00", **more})
        for more in ({}, {"categories": ["DEPLOY_SECURE"]}, {"institutions": ["MOE"]})
    ]

    def concerning(category: str, institution: str | None) -> tuple[int, int]:
        found = calendar_for(policy, freezes, SEOUL, category, institution)
        return len(found.windows), len(found.freezes)

    assert concerning("MAINTENANCE", "MOF") == (1, 1)
    assert concerning("DEPLOY_SECURE", "MOE") == (0, 3)
    assert concerning("READ_ONLY", "MOF") == (1, 0)
    assert concerning("MAINTENANCE", None) == (1, 2)
