"""A bad chart reports all its problems at once, each with line, column and remedy."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.errors import Misconfigured
from guardia.org import chart, chart_model, validation

SHIPPED = chart.shipped_chart_path().read_text("utf-8")

BAD = dedent(
    """\
    company: {name: 가나}
    agents:
      - id: ceo
        title: 장
        duty: rule
      - id: ceo
        tittle: 둘
        title: 둘
        duty: operate
        reports_to: nobody
        heartbeat: {every: soon}
      - id: clerk
        title: 셋
        duty: dispatch
        reports_to: clerk
        brain: {kind: chat}
        skills: DB
    approvals:
      X: [pm, auditor]
      Y: {steps: [pm], expires: 0s, escalate_to: nobody}
    freezes:
      - {from: 2026-12-24T00:00:00, until: 2026-12-25T00:00:00, categories: [NONE]}
    """
)


def locations(text: str) -> list[tuple[int, int, str]]:
    return [
        (f.line, f.column, f.path) for f in validation.find_problems(chart_model.OrgChart, text)
    ]


def test_every_problem_is_found_at_its_position() -> None:
    assert locations(BAD) == [
        (5, 11, "agents.ceo.duty"),
        (7, 5, "agents.ceo.tittle"),
        (11, 24, "agents.ceo.heartbeat.every"),
        (16, 12, "agents.clerk.brain"),
        (17, 13, "agents.clerk.skills"),
        (19, 11, "approvals.X.steps.1.role"),
        (20, 29, "approvals.Y.expires"),
        (20, 46, "approvals.Y.escalate_to"),
        (22, 73, "freezes.0.categories"),
    ]


def test_agents_are_compared_once_each_entry_is_valid() -> None:
    text = BAD.replace("duty: rule", "duty: operate").replace("tittle: 둘", "skills: []")
    assert [p for p in locations(text) if p[0] in (6, 10, 14, 15)] == [
        (6, 9, "agents.ceo.id"),
        (10, 17, "agents.ceo.reports_to"),
        (15, 17, "agents.clerk.reports_to"),
    ]


def test_the_message_contains_position_and_remedy_in_korean() -> None:
    with pytest.raises(Misconfigured) as raised:
        chart.parse(BAD, "조직.yaml")
    lines = str(raised.value).splitlines()
    assert "조직.yaml" in lines[0] and "9건" in lines[0]
    assert lines[1].startswith("  5행 11열 agents.ceo.duty: ‘rule’") and "dispatch" in lines[1]
    assert "title을 입력하려던" in lines[2]


def test_a_missing_part_does_not_hide_other_problems() -> None:
    found = {path for *_, path in locations("agents: []\napprovals: {X: [nobody]}\n")}
    assert found == {"company", "agents", "approvals.X.steps.0.role"}


LINES = SHIPPED.splitlines()


@pytest.mark.slow
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_slip_is_reported_with_its_position(data: st.DataObject) -> None:
    """One line is lost, doubled, indented or replaced: the result is a chart or a clear error."""
    number = data.draw(st.integers(0, len(LINES) - 1))
    slip = data.draw(st.sampled_from(["", None, "  ", "x", "- ", "x: [", "duty: dispatch"]))
    lines = list(LINES)
    lines[number : number + 1] = (
        [] if slip is None else [lines[number]] * 2 if not slip else [slip + lines[number].strip()]
    )
    try:
        chart.parse("\n".join(lines) + "\n")
    except Misconfigured as error:
        assert "행" in str(error)
