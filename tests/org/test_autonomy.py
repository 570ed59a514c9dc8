"""Autonomy in phases: which mode applies, and what the chart's checker finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.errors import Misconfigured
from guardia.org import chart
from guardia.org.autonomy import AutonomyMode, AutonomyRule, autonomy_mode
from guardia.org.chart_diff import diff_charts

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
_MODES = list(AutonomyMode)
_rules = st.builds(
    AutonomyRule,
    institution=st.sampled_from([None, "MOF", "MOE"]),
    category=st.sampled_from([None, "READ_ONLY", "MAINTENANCE"]),
    mode=st.sampled_from([str(m) for m in AutonomyMode]),
)


def chart_with(rules: str) -> str:
    return f"{SHIPPED}\nautonomy: {rules}\n"


def mode(text: str, institution: str | None, category: str) -> AutonomyMode:
    return autonomy_mode(chart.parse(chart_with(text)).autonomy, (institution,), category)


def test_without_a_rule_agents_propose_as_before() -> None:
    assert mode("[]", "MOF", "MAINTENANCE") is AutonomyMode.PROPOSE


def test_the_most_specific_rule_wins_and_equals_are_cautious() -> None:
    rules = (
        "[{mode: act}, {institution: MOF, mode: propose}, {category: MAINTENANCE, mode: observe},"
        " {institution: MOF, category: MAINTENANCE, mode: act}]"
    )
    assert mode(rules, "MOF", "MAINTENANCE") is AutonomyMode.ACT
    assert mode(rules, "MOE", "MAINTENANCE") is AutonomyMode.OBSERVE
    assert mode(rules, "MOF", "DEPLOY_SECURE") is AutonomyMode.PROPOSE
    assert mode(rules, "MOE", "DEPLOY_SECURE") is AutonomyMode.ACT
    both = "[{institution: MOF, mode: act}, {category: MAINTENANCE, mode: observe}]"
    assert mode(both, "MOF", "MAINTENANCE") is AutonomyMode.OBSERVE


@pytest.mark.slow
@given(st.lists(_rules, max_size=6), st.sampled_from(["READ_ONLY", "MAINTENANCE"]))
def test_an_unknown_institution_is_treated_as_the_most_restricted(
    rules: list[AutonomyRule], category: str
) -> None:
    unknown = autonomy_mode(rules, (None,), category)
    for name in ("MOF", "MOE", "OTHER"):
        known = autonomy_mode(rules, (name,), category)
        assert _MODES.index(unknown) <= _MODES.index(known)
        both = autonomy_mode(rules, (name, "MOF"), category)
        assert _MODES.index(both) <= _MODES.index(known)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("[{category: MAINTENANCES, mode: observe}]", "MAINTENANCE:을/를"),
        ("[{mode: watch}]", "observe"),
        ("[{institution: MOF, modus: act}]", "mode"),
        ("[{mode: act}, {mode: observe}]", "중복"),
        ("[{category: MAINTENANCE}]", "mode"),
    ],
)
def test_a_wrong_rule_is_reported_with_its_place(rules: str, words: str) -> None:
    with pytest.raises(Misconfigured) as found:
        chart.parse(chart_with(rules))
    line = len(chart_with(rules).splitlines())
    assert f"{line}행" in str(found.value) and words.split(":", maxsplit=1)[0] in str(found.value)


def test_a_changed_mode_is_a_sentence_of_the_plan() -> None:
    before = chart.parse(SHIPPED)
    after = chart.parse(chart_with("[{category: MAINTENANCE, mode: observe}]"))
    [change] = diff_charts(before, after)
    assert "autonomy" in str(change) and "observe" in str(change)
