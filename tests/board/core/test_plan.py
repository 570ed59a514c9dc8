"""Tests of comparing the actions of plans, ignoring their wording, and of their sentences."""

from __future__ import annotations

import pytest
from board_env import action, plan

from guardia.board.core.plan import Action, Plan, Risk, ToolCall
from guardia.board.execution import tasks

ACTION = Action(
    call=ToolCall(tool="service.restart", args={"service": "budget"}),
    risk=Risk.CHANGE,
    effect="재시작하는 동안 요청에 응답하지 못합니다.",
    command="budgetctl restart",
    irreversible="재시작은 되돌릴 수 없습니다.",
)


def test_other_words_run_the_same() -> None:
    reworded = {
        "effect": "재시작하는 동안 서비스가 중단됩니다.",
        "irreversible": "원복할 수 없습니다.",
    }
    assert ACTION.model_copy(update=reworded).runs_like(ACTION)


@pytest.mark.parametrize(
    "change",
    [
        {"command": "budgetctl stop"},
        {"call": ToolCall(tool="service.restart", args={"service": "tax"})},
        {"risk": Risk.DESTRUCTIVE},
        {"undo": ToolCall(tool="service.start", args={}), "irreversible": None},
        {"irreversible": None},
    ],
)
def test_a_change_of_what_runs_is_another_action(change: dict[str, object]) -> None:
    assert not ACTION.model_copy(update=change).runs_like(ACTION)


def test_what_undoes_a_change_does_not_depend_on_how_it_is_made() -> None:
    undo = ToolCall(tool="service.start", args={"service": "budget"})
    reversible = ACTION.model_copy(update={"undo": undo, "irreversible": None})
    assert reversible.model_copy(update={"command": "budgetctl stop"}).undoes_like(reversible)
    other = ToolCall(tool="service.start", args={"service": "tax"})
    assert not reversible.model_copy(update={"undo": other}).undoes_like(reversible)


def test_a_plan_without_sentences_keeps_its_hash() -> None:
    stored = plan().model_dump(mode="json")
    assert "sentence" not in stored["verify"][0]
    assert tasks.plan_hash(7, Plan.model_validate(stored)) == tasks.plan_hash(7, plan())


def test_a_sentence_is_part_of_what_is_approved() -> None:
    (check,) = plan().verify
    worded = plan().model_copy(
        update={"verify": (check.model_copy(update={"sentence": "대기 세션이 없습니다."}),)}
    )
    assert tasks.plan_hash(7, worded) != tasks.plan_hash(7, plan())
    assert Plan.model_validate(worded.model_dump(mode="json")) == worded


def test_another_wording_runs_the_same_commands() -> None:
    (check,) = plan().verify
    one, other = (
        action().model_copy(update={"precheck": (check.model_copy(update={"sentence": text}),)})
        for text in ("하나", "둘")
    )
    assert one.runs_like(other)


@pytest.mark.parametrize(
    ("undos", "expected"),
    [((True, True), "all"), ((True, False), "some"), ((False, False), "none"), ((), "all")],
)
def test_how_much_of_a_plan_can_be_undone(undos: tuple[bool, ...], expected: str) -> None:
    back = ToolCall(tool="service.start", args={})
    actions = [
        action().model_copy(update={"undo": back if undo else None, "irreversible": None})
        for undo in undos
    ]
    assert (
        plan("MAINTENANCE").model_copy(update={"actions": tuple(actions)}).reversibility == expected
    )
