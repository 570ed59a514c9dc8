"""Ends of clauses and sentences."""

from __future__ import annotations

import pytest

from guardia.agents.brain.triage.clauses import clauses


@pytest.mark.parametrize(
    ("text", "count", "sentences"),
    [
        ("서비스는 되지만 느립니다.", 2, 1),
        ("접속이 안 되고 있습니다.", 1, 1),  # an auxiliary does not end a clause
        ("열리지 않습니다.", 1, 1),
        ("느려요 봐주세요", 2, 2),  # no full stop between
        ("이번 주 안에 되면 됩니다.", 1, 1),  # a request, not a condition
        ("꽉 차면 멈춥니다.", 2, 1),
        ("느립니다.\n확인 부탁드립니다.", 2, 2),
        ("로그 확인\n재기동", 2, 2),
        ("", 0, 0),
    ],
)
def test_counts(text: str, count: int, sentences: int) -> None:
    found = clauses(text)
    assert (len(found), len({c.sentence for c in found})) == (count, sentences)


def test_conditions_and_questions() -> None:
    condition, result = clauses("꽉 차면 멈춥니다.")
    assert condition.conditional and not result.conditional
    assert not any(c.conditional for c in clauses("이번 주 안이면 됩니다"))
    assert clauses("어디서 하나요?")[0].question
    assert clauses("언제 도나요")[0].question
    assert not clauses("느립니다.")[0].question
