"""What was settled before triage stays; the rest is triage's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

from cast import seated

from guardia.agents.brain.answer import Category
from guardia.agents.brain.thought import Thought
from guardia.agents.brain.triage import Triage
from guardia.agents.goal_plan import GENERAL
from guardia.agents.nodes.dispatch import classify
from guardia.org.talk import FIELDS

FOUND = Triage(kind="INCIDENT", category="WAS", priority="P3", reasons=("까닭",))


class Brain:
    def triage(self, *_: object) -> Thought[Triage]:
        return Thought(FOUND, "embedded")


GIVEN: list[tuple[dict[str, Any], tuple[str, str], str | None]] = [
    ({}, ("WAS", "P3"), None),
    ({"category": None, "priority": None}, ("WAS", "P3"), None),
    ({"category": "STORAGE", "priority": None}, ("STORAGE", "P3"), "STORAGE"),
    ({"category": "STORAGE", "priority": "P1"}, ("STORAGE", "P1"), "STORAGE, P1"),
]


def test_what_was_settled_stays(database: Any) -> None:
    with seated(database.app) as board:
        runtime = SimpleNamespace(context=SimpleNamespace(desk=board.desk, brain=Brain()))
        for given, expected, told in GIVEN:
            triage = classify({"text": "가", **given}, runtime)["triage"]  # type: ignore[typeddict-item, arg-type]
            assert (triage.category, triage.priority) == expected
            assert [r for r in triage.reasons if r.startswith("접수할 때")] == (
                [f"접수할 때 정해진 분야·우선순위를 따릅니다: {told}"] if told else []
            )


def test_a_rule_of_the_chart_can_say_whatever_triage_can() -> None:
    assert {*FIELDS, GENERAL} == set(get_args(Category))
