"""Sentences of checks: part of a plan and its hash, without changing plans filed before."""

from __future__ import annotations

from board_env import action, plan

from guardia.board.core.plan import Plan
from guardia.board.execution import tasks


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
