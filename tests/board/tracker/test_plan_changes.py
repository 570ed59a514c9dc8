"""Tests of the difference between two plans, in words."""

from __future__ import annotations

from board_env import action, plan
from hypothesis import given
from hypothesis import strategies as st
from page_env import realistic_plan

from guardia.board.core.plan import Plan, ToolCall
from guardia.board.tracker.plan_changes import ArgumentChange, compare_plans, compare_words


def with_level(filed: Plan, level: str) -> Plan:
    """Return the plan with another log level in its second action."""
    first, second = filed.actions
    args = {**second.call.args, "level": level}
    changed = second.model_copy(
        update={
            "call": ToolCall(tool=second.call.tool, args=args),
            "effect": second.effect.replace("INFO", level),
            "command": second.command.replace("INFO", level),
        }
    )
    return filed.model_copy(update={"actions": (first, changed)})


def test_a_changed_value_is_shown_word_by_word() -> None:
    old = realistic_plan()
    changes = compare_plans(old, with_level(old, "WARN"))
    same, changed = changes.actions
    assert same.change == "same" and not same.is_reversible
    assert changed.change == "changed" and changed.is_reversible
    assert changed.arguments == (ArgumentChange("level", "INFO", "WARN"),)
    assert [run.text for run in changed.words if run.mark == "removed"] == ["INFO로"]
    assert [run.text for run in changed.words if run.mark == "added"] == ["WARN로"]
    assert {run.mark for run in changed.command} == {"same", "added", "removed"}
    assert not changes.because and not changes.verify and changes.category is None


def test_added_and_removed_actions_are_named() -> None:
    old = realistic_plan()
    less = old.model_copy(update={"actions": old.actions[:1]})
    assert [a.change for a in compare_plans(old, less).actions] == ["same", "removed"]
    assert [a.change for a in compare_plans(less, old).actions] == ["same", "added"]


def test_whatever_runs_differently_is_a_change() -> None:
    """A check, an undo or a limit that differs is shown, though the sentence is the same."""
    old = realistic_plan()
    first, second = old.actions
    for update in (
        {"precheck": ()},
        {"verify": ()},
        {"command": "rm -rf /"},
        {"irreversible": "다른 이유"},
    ):
        new = old.model_copy(update={"actions": (first.model_copy(update=update), second)})
        assert compare_plans(old, new).actions[0].change == "changed", update
    no_undo = second.model_copy(update={"undo": None, "irreversible": "원복 불가"})
    found = compare_plans(old, old.model_copy(update={"actions": (first, no_undo)}))
    assert not found.actions[1].is_reversible and found.actions[1].command


def test_diagnosis_category_and_final_checks_are_compared() -> None:
    old = plan()
    new = plan("DESTRUCTIVE", action()).model_copy(
        update={"because": "세션 8이 잠금을 쥐고 있습니다.", "verify": ()}
    )
    changes = compare_plans(old, new)
    assert changes.category == ArgumentChange("category", "MAINTENANCE", "DESTRUCTIVE")
    assert [r.text for r in changes.because if r.mark == "added"] == ["8이"]
    assert changes.verify


@given(st.text(), st.text())
def test_both_texts_can_be_read_from_the_difference(old: str, new: str) -> None:
    runs = compare_words(old, new)
    assert "".join(r.text for r in runs if r.mark != "added") == old
    assert "".join(r.text for r in runs if r.mark != "removed") == new


def test_a_huge_text_is_not_compared_word_by_word() -> None:
    runs = compare_words("가 " * 50_000, "나 " * 50_000)
    assert [run.mark for run in runs] == ["removed", "added"]
