"""Rules of the chart on who gets a request."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from guardia.org import chart
from guardia.org.assignment import AssignmentRules, FitWeights


def test_the_shipped_chart_has_the_defaults() -> None:
    text = chart.shipped_chart_path().read_text("utf-8")
    assert chart.parse(text).assignment == AssignmentRules()


def test_urgent_requests_wait_for_less() -> None:
    rules = AssignmentRules(answer_within="1h", urgent_within="2m")
    assert rules.time_to_answer("P1") == timedelta(minutes=2)
    assert rules.time_to_answer(None) == rules.time_to_answer("P4") == timedelta(hours=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer_within": "0m"},
        {"report_window": "5x"},
        {"proposals": 0},
        {"choices": 11},
        {"weights": {"load": -1}},
        {"weights": {"skill": 0, "proficiency": 0, "primary": 0}},
        {"weights": {"luck": 1}},
    ],
)
def test_impossible_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AssignmentRules.model_validate(wrong)


def test_one_weight_is_enough() -> None:
    assert FitWeights(skill=1, proficiency=0, primary=0).skill == 1
