"""Hiring, firing and setting a field leave every other byte of the chart unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.errors import Invalid, Misconfigured, NotFound
from guardia.org import chart, chart_edit

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
NEW_AGENT = {
    "id": "net-agent",
    "title": "네트워크 전문가",
    "aliases": ("네트워크: 담당", "#1"),
    "duty": "operate",
    "reports_to": "dispatcher",
    "skills": ["NETWORK"],
    "brain": {"kind": "embedded"},
}
REST = """approvals:
  READ_ONLY: []
"""


@st.composite
def charts(draw: st.DrawFn) -> str:
    """Generate valid charts in many styles of indentation, comments, quotes and line breaks."""
    dash = draw(st.sampled_from(["", "  ", "    "]))
    inner = dash + "-" + " " * draw(st.integers(1, 3))
    margin = " " * len(inner)
    quote = draw(st.sampled_from(["", '"', "'"]))
    gap = draw(st.sampled_from([[], [""], ["# 구역", ""], [dash + "# 위의 주석"]]))
    lines = ["# 조직도", "company: {name: 가나}", "agents:  # 구성원"]
    count = draw(st.integers(1, 5))
    for number in range(count):
        lines += gap if number else []
        lines += [
            f"{inner}id: {quote}agent-{number}{quote}   # {number}번",
            f"{margin}title: {quote}사람 {number}{quote}",
            f"{margin}duty: {'operate' if number else 'dispatch'}",
        ]
        if number:
            above = draw(st.integers(0, number - 1))
            lines.append(f"{margin}reports_to: {quote}agent-{above}{quote}  # 상급자")
        lines += draw(
            st.sampled_from(
                [
                    [],
                    [f"{margin}heartbeat: {{every: 5m}}"],
                    [f"{margin}heartbeat:", f"{margin}    every: 5m", f"{margin}    # 안쪽"],
                    [f"{margin}skills: [DB,", f"{margin}    WAS]"],
                    [f"{margin}aliases:", f"{margin}- 별명"],
                ]
            )
        )
    order = draw(st.booleans())
    lines += draw(st.sampled_from([[], [""], ["", "# 승인"]]))
    body = "\n".join(lines)
    text = f"{body}\n{REST}" if order else f"{REST}{body}" + draw(st.sampled_from(["", "\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@pytest.mark.slow
@given(charts())
@settings(max_examples=40, deadline=None)
def test_hiring_then_firing_restores_the_text_byte_for_byte(text: str) -> None:
    hired = chart_edit.hire(text, {**NEW_AGENT, "reports_to": "agent-0"})
    assert [a.id for a in chart.parse(hired).agents][-1] == "net-agent"
    assert chart_edit.fire(hired, "net-agent") == text


@pytest.mark.slow
@given(charts(), st.data())
@settings(max_examples=40, deadline=None)
def test_firing_removes_one_agent_and_moves_its_reports_to_its_superior(
    text: str, data: st.DataObject
) -> None:
    before = chart.parse(text)
    if len(before.agents) == 1:
        with pytest.raises(Invalid):
            chart_edit.fire(text, "agent-0")
        return
    gone = data.draw(st.sampled_from(before.agents[1:]))
    fired = chart_edit.fire(text, gone.id)
    expected = [
        a.model_copy(update={"reports_to": gone.reports_to}) if a.reports_to == gone.id else a
        for a in before.agents
        if a.id != gone.id
    ]
    assert list(chart.parse(fired).agents) == expected
    lost = set(text.splitlines()) - set(fired.splitlines())
    assert all("구역" not in line and "승인" not in line and "위의" not in line for line in lost)


@given(charts(), st.sampled_from(["7m", "10m"]))
@settings(max_examples=25, deadline=None)
def test_setting_a_field_changes_nothing_else(text: str, every: str) -> None:
    changed = chart_edit.set_field(text, "agent-0", "heartbeat.every", every)
    before, after = chart.parse(text).agents[0], chart.parse(changed).agents[0]
    assert after.heartbeat.every == every
    assert after.model_copy(update={"heartbeat": before.heartbeat}) == before
    assert chart_edit.set_field(changed, "agent-0", "heartbeat.every", every) == changed


def test_the_shipped_chart_keeps_its_comments() -> None:
    fired = chart_edit.fire(SHIPPED, "auditor")
    assert "# 범주별 승인 단계." in fired and "id: auditor" not in fired
    hired = chart_edit.hire(SHIPPED, NEW_AGENT)
    assert hired.replace(SHIPPED.split("\n\n# 범주별")[0], "").count("\n") < hired.count("\n")
    assert "  - id: net-agent\n    title: 네트워크 전문가\n" in hired
    assert chart_edit.fire(hired, "net-agent") == SHIPPED


def test_an_impossible_edit_is_refused_with_a_reason() -> None:
    with pytest.raises(Invalid, match="이미 등록된"):
        chart_edit.hire(SHIPPED, {**NEW_AGENT, "id": "db-agent"})
    with pytest.raises(Misconfigured):
        chart_edit.hire(SHIPPED, {**NEW_AGENT, "duty": "rule"})
    with pytest.raises(NotFound):
        chart_edit.fire(SHIPPED, "nobody")
    with pytest.raises(Invalid, match="유일한"):
        chart_edit.fire(SHIPPED, "dispatcher")
    with pytest.raises(Misconfigured):
        chart_edit.set_field(SHIPPED, "db-agent", "reports_to", "nobody")
    flow = "company: {name: 가}\nagents: [{id: ceo, title: 장, duty: dispatch}]\n" + REST
    with pytest.raises(Invalid, match="직접 수정한"):
        chart_edit.hire(flow, {**NEW_AGENT, "reports_to": "ceo"})


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "a: 1\na: 2", "\t", "a: " + "[" * 300, "x" * 10 + ": &a *b"]
)
def test_text_that_is_not_a_chart_raises_misconfigured(text: str) -> None:
    for act in (chart.parse, lambda text: chart_edit.fire(text, "db-agent")):
        with pytest.raises(Misconfigured):
            act(text)
