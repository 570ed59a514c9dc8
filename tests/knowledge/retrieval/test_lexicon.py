"""Everyday words bring the technical terms that manuals use."""

from __future__ import annotations

import pytest

from guardia.knowledge.retrieval.lexicon import technical_terms


@pytest.mark.parametrize(
    ("said", "term"),
    [
        ("화면이 먹통이에요", "무응답"),
        ("메모리가 조금씩 새는 것 같아요", "누수"),
        ("디스크가 꽉 찼습니다", "포화"),
        ("재택근무하려고 합니다", "vpn"),
        ("신입 직원이 왔어요", "발급"),
    ],
)
def test_a_phrase_in_any_form_of_its_verb(said: str, term: str) -> None:
    assert term in technical_terms(said)


def test_a_verb_is_not_a_word_that_looks_like_it() -> None:
    assert "누수" not in technical_terms("새 서버를 샀습니다")


def test_all_words_of_a_phrase_are_needed_and_terms_come_once() -> None:
    assert "보관" not in technical_terms("몇 명이 왔나요")
    terms = technical_terms("공유 폴더가 꽉 차서 용량을 늘려야 해요")
    assert len(terms) == len(set(terms))
