"""BM25 over morphemes."""

from __future__ import annotations

import pytest

from guardia.knowledge.index import Index

TEXTS = ["디비 조회가 느리다", "로그 볼륨이 꽉 찼다", "인증서가 만료되었다"]


@pytest.mark.slow
def test_a_text_with_shared_words_scores() -> None:
    scores = Index(TEXTS).scores("DB가 느려졌어요")
    assert scores[0] > 0 and scores[1:] == [0.0, 0.0]


def test_no_shared_word_scores_nothing() -> None:
    index = Index(TEXTS)
    assert index.scores("식단표") == index.scores("") == [0.0, 0.0, 0.0]


def test_rare_words_weigh_more() -> None:
    index = Index(["로그 분석", "로그 정리", "로그 확인"])
    scores = index.scores("로그 정리")
    assert max(range(3), key=lambda n: scores[n]) == 1
