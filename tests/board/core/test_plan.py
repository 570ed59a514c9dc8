"""Tests of comparing the actions of plans, ignoring their wording."""

from __future__ import annotations

import pytest

from guardia.board.core.plan import Action, Risk, ToolCall

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
